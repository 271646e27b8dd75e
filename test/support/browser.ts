import { AsyncLocalStorage } from 'node:async_hooks'
import http, { type ClientRequest, type IncomingMessage } from 'node:http'
import { type Scope } from './balancer.ts'

/** The cookies of one user. Clients made for browsers have none of their own when they run in Node. */
export class Browser {
  readonly cookies = new Map<string, string>()

  /** Everything that is started inside, and what comes of it, sends and takes these cookies. */
  run<T>(work: () => T): T {
    return current.run(this, work)
  }

  get cookie(): string {
    return [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  }

  take({ headers }: IncomingMessage): void {
    for (const line of headers['set-cookie'] ?? []) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      this.cookies.set(name, value)
    }
  }
}

const current = new AsyncLocalStorage<Browser>()

type Adding = http.Agent & { addRequest(request: ClientRequest, options: object): void }

/** Until the test is over, whatever uses the global agent has the cookies of its {@link Browser}. */
export function withBrowsers(t: Scope): void {
  const agent = new http.Agent({ keepAlive: true }) as Adding
  const add = agent.addRequest.bind(agent)
  agent.addRequest = (request, options) => {
    const browser = current.getStore()
    if (browser?.cookie) request.setHeader('cookie', browser.cookie)
    request.prependListener('response', (response: IncomingMessage) => browser?.take(response))
    add(request, options)
  }
  const before = http.globalAgent
  http.globalAgent = agent
  t.teardown(() => {
    http.globalAgent = before
    agent.destroy()
  })
}
