import { defineConfig, stickyCookie } from 'wslb'
import { demoBackends } from './examples/demo/backends.ts'

// `npx wslb start`, then open https://localhost:8443. Edit this file while it runs: add 'yellow', take out 'red', save.
export default defineConfig(async ({ signal }) => ({
  listen: { port: 8443, tls: 'self-signed' },

  // Starts three small chat servers. Yours are there already: ['http://10.0.0.1:3000', 'http://10.0.0.2:3000'].
  backends: await demoBackends(['red', 'green', 'blue'], signal),

  // A client stays with its backend, with a fixed secret even when wslb restarts. Keep yours out of the repository.
  sticky: stickyCookie({ secret: 'not a secret: this is a demo' }),

  // Quick, so that one sees it: a backend that does not answer is down after four seconds.
  health: { interval: '2s', debounce: '4s' },

  // Quick too: the clients of a backend that is taken out move to the others within five seconds, one by one.
  drain: { over: '5s' },
}))
