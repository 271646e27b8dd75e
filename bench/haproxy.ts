/** One thread, HTTP mode, the same duties as the others: keep-alive on both sides, `X-Forwarded-For`. */
export function haproxyConfig(port: number, backendPort: number): string {
  return `
global
  nbthread 1
  maxconn 5000
defaults
  mode http
  option forwardfor
  timeout connect 5s
  timeout client 1m
  timeout server 1m
  timeout tunnel 1h
frontend bench
  bind 127.0.0.1:${port}
  default_backend bench
backend bench
  server one 127.0.0.1:${backendPort}
`
}
