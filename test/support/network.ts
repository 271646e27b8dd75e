import { type Scope } from './balancer.ts'
import { type Direction, type Link, TcpProxy } from './tcp-proxy.ts'

/** Why a test with a {@link Network} cannot run here. Others than Linux have one loopback address only. */
export const withoutNetwork =
  process.platform !== 'linux' && !process.env.CI
    ? 'no loopback addresses but one: partitions are NOT tested'
    : false

/**
 * Members that see each other through proxies, so that any two of them can be parted. Each connects from a loopback
 * address of its own, by which the proxies know it; who comes from another one (a test's own questions) always passes.
 */
export class Network {
  readonly #t: Scope
  readonly #members: string[] = []
  readonly #proxies = new Map<string, TcpProxy>()
  /** Port of the proxy → member. */
  readonly #exposed = new Map<number, string>()
  readonly #ways: { readonly node: string; readonly server: string; readonly proxy: TcpProxy }[] = []
  readonly #directions = new Map<string, Direction>()

  constructor(t: Scope) {
    this.#t = t
  }

  /** @returns the port at which others reach that member */
  async expose(member: string, port: number): Promise<number> {
    const proxy = await TcpProxy.start(this.#t, port)
    this.#proxies.set(member, proxy)
    this.#exposed.set(proxy.port, member)
    this.#shape()
    return proxy.port
  }

  /** @returns the address that it must connect from */
  source(member: string): string {
    if (!this.#members.includes(member)) this.#members.push(member)
    return `127.77.0.${this.#members.indexOf(member) + 1}`
  }

  /** Proxies of its own for a node, which cannot choose the address that it connects from. @returns port → port of the proxy */
  async ways(
    node: string,
    members: readonly { readonly port: number; readonly exposedPort: number }[],
  ): Promise<Record<number, number>> {
    const ways: Record<number, number> = {}
    for (const { port, exposedPort } of members) {
      const proxy = await TcpProxy.start(this.#t, port)
      this.#ways.push({ node, proxy, server: this.#exposed.get(exposedPort)! })
      ways[exposedPort] = proxy.port
    }
    this.#shape()
    return ways
  }

  /** What the one side sends does not reach the other, whoever has opened the connection. */
  cut(from: readonly string[], to: readonly string[]): void {
    this.#set(from, to, { cut: true })
  }

  /** In both directions. */
  part(some: readonly string[], others: readonly string[]): void {
    this.cut(some, others)
    this.cut(others, some)
  }

  delay(from: readonly string[], to: readonly string[], milliseconds: number): void {
    this.#set(from, to, { delay: milliseconds })
  }

  /** All is well from now on: what was under way arrives. */
  heal(): void {
    this.#directions.clear()
    this.#shape()
  }

  #set(from: readonly string[], to: readonly string[], direction: Direction): void {
    for (const sender of from)
      for (const receiver of to) this.#directions.set(`${sender} ${receiver}`, direction)
    this.#shape()
  }

  #shape(): void {
    for (const [server, proxy] of this.#proxies) {
      proxy.shape((source) =>
        this.#link(
          this.#members.find((member) => this.source(member) === source),
          server,
        ),
      )
    }
    for (const { node, server, proxy } of this.#ways) proxy.shape(() => this.#link(node, server))
  }

  #link(client: string | undefined, server: string): Link {
    const direction = (from?: string, to?: string) => this.#directions.get(`${from} ${to}`) ?? {}
    return { up: direction(client, server), down: direction(server, client) }
  }
}
