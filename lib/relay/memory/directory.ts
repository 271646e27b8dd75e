import {
  type Claim,
  type Member,
  type Orphan,
  type Owner,
  type Peer,
  type Roll,
} from '../session/registry.ts'

interface Lease {
  epoch: string
  end: number
}

/** Who is connected where, of all relays that share a store: what the scripts do in Redis. Time is monotonic milliseconds. */
export class Directory {
  readonly #leases = new Map<string, Lease>()
  readonly #owners = new Map<string, Owner>()
  readonly #rooms = new Map<string, Map<string, Member>>()
  #ticks = 0

  beat(nodeId: string, epoch: string, lease: number, now: number): Roll {
    const renewed = this.#holds(nodeId, now)
    this.#leases.set(nodeId, { epoch, end: now + lease })
    const peers: Peer[] = []
    for (const [nodeId, { epoch, end }] of this.#leases) if (end > now) peers.push({ nodeId, epoch })
    return { renewed, peers }
  }

  retire(nodeId: string): void {
    this.#leases.delete(nodeId)
  }

  claim(clientId: string, nodeId: string, connId = this.#tick()): Claim {
    const held = this.#owners.get(clientId)
    if (held && held.connId > connId) return { owner: held, previous: undefined }
    const owner = { nodeId, connId }
    this.#owners.set(clientId, owner)
    return { owner, previous: held && !isSame(held, owner) ? held : undefined }
  }

  release(clientId: string, owner: Owner): boolean {
    const held = this.#owners.get(clientId)
    return held !== undefined && isSame(held, owner) && this.#owners.delete(clientId)
  }

  locate(clientId: string, now: number): Owner | undefined {
    const owner = this.#owners.get(clientId)
    return owner && this.#holds(owner.nodeId, now) ? owner : undefined
  }

  enter(room: string, clientId: string, nodeId: string, info: string, connId = this.#tick()): Member {
    const members = this.#rooms.get(room) ?? new Map<string, Member>()
    const held = members.get(clientId)
    if (held && (held.connId > connId || isSame(held, { nodeId, connId }))) return held
    const member = { clientId, nodeId, connId, info, at: this.#tick() }
    this.#rooms.set(room, members.set(clientId, member))
    return member
  }

  leave(room: string, clientId: string, owner: Owner): boolean {
    const members = this.#rooms.get(room)
    const held = members?.get(clientId)
    if (!members || !held || !isSame(held, owner)) return false
    members.delete(clientId)
    if (members.size === 0) this.#rooms.delete(room)
    return true
  }

  members(room: string, now: number): Member[] {
    const members = [...(this.#rooms.get(room)?.values() ?? [])]
    return members.filter(({ nodeId }) => this.#holds(nodeId, now))
  }

  sweep(now: number): Orphan[] {
    for (const [nodeId, { end }] of this.#leases) if (end <= now) this.#leases.delete(nodeId)
    for (const [clientId, { nodeId }] of this.#owners)
      if (!this.#leases.has(nodeId)) this.#owners.delete(clientId)
    const orphans: Orphan[] = []
    for (const [room, members] of this.#rooms) {
      for (const { clientId, nodeId, connId, at } of members.values())
        if (!this.#leases.has(nodeId)) orphans.push({ room, clientId, nodeId, connId, at })
    }
    return orphans
  }

  #holds(nodeId: string, now: number): boolean {
    return (this.#leases.get(nodeId)?.end ?? now) > now
  }

  #tick(): string {
    return (++this.#ticks).toString(36).padStart(10, '0')
  }
}

function isSame(one: Owner, other: Owner): boolean {
  return one.connId === other.connId && one.nodeId === other.nodeId
}
