import { murmur3 } from '../../core/digest.ts'
import {
  type Claim,
  type Member,
  type Owner,
  type Registry,
  type Roll,
  type Sweep,
} from '../session/registry.ts'
import { type Evaluator, type Reply, type Script } from '../session/evaluator.ts'
import * as scripts from './registry-scripts.ts'

/** So that the hashes of a million clients are still the compact ones of Redis (`hash-max-listpack-entries` 128). */
const BUCKETS = 8192
const ID = 10

/** Who is connected where, in Redis. */
export class RedisRegistry implements Registry {
  readonly #evaluator: Evaluator
  readonly #nodes: string
  readonly #epochs: string
  readonly #clock: string
  readonly #bucket: string
  readonly #bucketsOf: string
  readonly #room: string
  readonly #roomsOf: string

  /** @param prefix what the keys begin with */
  constructor(evaluator: Evaluator, prefix: string) {
    this.#evaluator = evaluator
    this.#nodes = `${prefix}:nodes`
    this.#epochs = `${prefix}:epochs`
    this.#clock = `${prefix}:clock`
    this.#bucket = `${prefix}:loc:`
    this.#bucketsOf = `${prefix}:nc:`
    this.#room = `${prefix}:pres:`
    this.#roomsOf = `${prefix}:nr:`
  }

  async beat(nodeId: string, epoch: string, lease: number): Promise<Roll> {
    const keys = [this.#nodes, this.#epochs]
    const [renewed, ...rest] = listOf(await this.#run(scripts.BEAT, keys, [nodeId, epoch, String(lease)]))
    const peers = groups(rest, 2).map(([nodeId, epoch]) => ({ nodeId: nodeId!, epoch: epoch! }))
    return { renewed: renewed === '1', peers }
  }

  async retire(nodeId: string): Promise<void> {
    await this.#run(scripts.RETIRE, [this.#nodes], [nodeId])
  }

  async claim(clientId: string, nodeId: string, connId = ''): Promise<Claim> {
    const bucket = bucketOf(clientId)
    const keys = [this.#nodes, this.#clock, this.#bucket + bucket, this.#bucketsOf + nodeId]
    const reply = await this.#run(scripts.CLAIM, keys, [clientId, nodeId, bucket, connId])
    const [owner, previous] = listOf(reply)
    return { owner: ownerOf(owner!), previous: previous ? ownerOf(previous) : undefined }
  }

  async release(clientId: string, { nodeId, connId }: Owner): Promise<boolean> {
    const keys = [this.#bucket + bucketOf(clientId)]
    return (await this.#run(scripts.RELEASE, keys, [clientId, connId + nodeId])) === 1
  }

  async locate(clientId: string): Promise<Owner | undefined> {
    const keys = [this.#nodes, this.#bucket + bucketOf(clientId)]
    const owner = await this.#run(scripts.LOCATE, keys, [clientId])
    return owner === null ? undefined : ownerOf(textOf(owner))
  }

  async enter(room: string, clientId: string, nodeId: string, info: string, connId = ''): Promise<Member> {
    const keys = [this.#nodes, this.#clock, this.#keyOf(room), this.#roomsOf + nodeId]
    const args = [clientId, nodeId, info, connId, this.#roomsOf, room]
    return memberOf(clientId, textOf(await this.#run(scripts.ENTER, keys, args)))
  }

  async leave(room: string, clientId: string, { nodeId, connId }: Owner): Promise<boolean> {
    const keys = [this.#keyOf(room), this.#roomsOf + nodeId]
    return (await this.#run(scripts.LEAVE, keys, [clientId, nodeId, connId, room])) === 1
  }

  async members(room: string): Promise<readonly Member[]> {
    const reply = listOf(await this.#run(scripts.MEMBERS, [this.#nodes, this.#keyOf(room)], []))
    return groups(reply, 2).map(([clientId, entry]) => memberOf(clientId!, entry!))
  }

  async sweep(limit: number, next?: string): Promise<Sweep> {
    const before = next === undefined ? ['0', '', ''] : (JSON.parse(next) as string[])
    const beginnings = [this.#bucket, this.#bucketsOf, this.#room, this.#roomsOf]
    const args = [String(limit), ...beginnings, ...before]
    const reply = listOf(await this.#run(scripts.SWEEP, [this.#nodes, this.#epochs], args))
    const place = reply.slice(0, 3)
    return {
      orphans: groups(reply.slice(3), 3).map(([room, clientId, entry]) => {
        const { at, ...owner } = stampsOf(entry!)
        return { room: room!, clientId: clientId!, ...owner, at, nodeId: entry!.slice(2 * ID) }
      }),
      next: place[0] === '' ? undefined : JSON.stringify(place),
    }
  }

  #keyOf(room: string): string {
    return `${this.#room}{${room}}`
  }

  #run(script: Script, keys: readonly string[], args: readonly string[]): Promise<Reply> {
    return this.#evaluator.eval(script, keys, args)
  }
}

function bucketOf(clientId: string): string {
  return String((murmur3(clientId, 0) >>> 0) % BUCKETS)
}

function ownerOf(text: string): Owner {
  return { connId: text.slice(0, ID), nodeId: text.slice(ID) }
}

function stampsOf(entry: string): { connId: string; at: string } {
  return { connId: entry.slice(0, ID), at: entry.slice(ID, 2 * ID) }
}

function memberOf(clientId: string, entry: string): Member {
  const end = entry.indexOf('\n', 2 * ID)
  return { clientId, ...stampsOf(entry), nodeId: entry.slice(2 * ID, end), info: entry.slice(end + 1) }
}

function textOf(reply: Reply): string {
  return Buffer.isBuffer(reply) ? reply.toString() : reply === null ? '' : String(reply)
}

function listOf(reply: Reply): string[] {
  return Array.isArray(reply) ? reply.map((item: Reply) => textOf(item)) : []
}

function groups(items: readonly string[], size: number): string[][] {
  return Array.from({ length: items.length / size }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  )
}
