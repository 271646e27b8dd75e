import { type Link, TcpProxy } from '../../test/support/tcp-proxy.ts'
import { type RedisServer } from '../support/redis-server.ts'
import { type Program } from '../support/run-program.ts'
import { SentinelCluster } from '../support/sentinel-cluster.ts'

export type Fault = 'kill' | 'hang' | 'partition'

const CUT: Link = { up: { cut: true }, down: { cut: true } }
const OPEN: Link = { up: {}, down: {} }

/** A Redis master with two replicas and three Sentinels, each behind a proxy, so that it can be cut off. */
export class Stage {
  readonly cluster: SentinelCluster
  readonly #proxies: ReadonlyMap<number, TcpProxy>
  /** What is wrong with which server. */
  #wrong: { readonly fault: Fault; readonly server: RedisServer } | undefined

  private constructor(cluster: SentinelCluster, proxies: ReadonlyMap<number, TcpProxy>) {
    this.cluster = cluster
    this.#proxies = proxies
  }

  static async start({ teardown }: Pick<Program, 'teardown'>): Promise<Stage> {
    const proxies = new Map<number, TcpProxy>()
    const expose = async (_member: string, port: number) => {
      const proxy = await TcpProxy.start({ teardown }, port)
      proxies.set(port, proxy)
      return proxy.port
    }
    const cluster = await SentinelCluster.start({ downAfter: 1_000, network: { expose } })
    teardown(() => cluster.stop())
    return new Stage(cluster, proxies)
  }

  /** Does it to the master, unless something is wrong already. @returns that server */
  async harm(fault: Fault): Promise<RedisServer | undefined> {
    const server = this.#wrong ? undefined : await this.cluster.master()
    if (!server) return undefined
    this.#wrong = { fault, server }
    if (fault === 'kill') await server.kill()
    else if (fault === 'hang') server.hang()
    else this.#proxies.get(server.port)!.shape(() => CUT)
    return server
  }

  /** Brings back what was harmed: it is a replica then, as soon as a Sentinel has told it. */
  async bringBack(): Promise<void> {
    const wrong = this.#wrong
    if (!wrong) return
    if (wrong.fault === 'kill') await wrong.server.start()
    else if (wrong.fault === 'hang') wrong.server.resume()
    else this.#proxies.get(wrong.server.port)!.shape(() => OPEN)
    this.#wrong = undefined
  }
}
