import { EventEmitter } from 'node:events'

/** A parser as an application may have one: packets as JSON, and nothing else. */
export class Encoder {
  encode(packet: unknown): string[] {
    return [JSON.stringify(packet)]
  }
}

export class Decoder extends EventEmitter {
  add(text: string): void {
    this.emit('decoded', JSON.parse(text))
  }

  destroy(): void {
    this.removeAllListeners()
  }
}
