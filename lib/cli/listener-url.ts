import { addressUrl } from '../listener/address-url.ts'

/** A url that a browser on this machine can open: one cannot visit "every address". */
export function listenerUrl(protocol: string, host: string, port: number): string {
  return addressUrl(protocol, host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host, port)
}
