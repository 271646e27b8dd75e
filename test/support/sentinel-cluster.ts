import { SentinelCluster, type SentinelClusterOptions } from '../../examples/support/sentinel-cluster.ts'
import { type Scope } from './balancer.ts'

/** A {@link SentinelCluster}, as the examples start one, that ends with the test. */
export async function startCluster(t: Scope, options?: SentinelClusterOptions): Promise<SentinelCluster> {
  const cluster = await SentinelCluster.start(options)
  t.teardown(() => cluster.stop())
  return cluster
}
