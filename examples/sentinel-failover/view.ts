import { clearLine, cursorTo } from 'node:readline'
import { type RelayStatus } from 'wslb/relay'
import { type NodeProcess } from '../support/node-process.ts'
import { type Traffic } from './traffic.ts'

/** One line of the terminal that changes, and what happens above it. */
export class View {
  readonly #traffic: Traffic
  readonly #statuses = new Map<string, RelayStatus>()
  #timer: NodeJS.Timeout | undefined

  constructor(traffic: Traffic, nodes: readonly NodeProcess[]) {
    this.#traffic = traffic
    for (const node of nodes) {
      node.onTold((told) => {
        const { status } = told as { status?: RelayStatus }
        if (status) this.#statuses.set(node.name, status)
      })
    }
  }

  /** Which master the nodes use, and whether it is one. */
  get agreement(): string {
    const masters = [...this.#statuses.values()].map(({ master }) => master ?? 'none')
    const counts = [...new Set(masters)].map(
      (master) => `${masters.filter((one) => one === master).length} on ${master}`,
    )
    return `nodes: ${counts.join(', ')}`
  }

  show(): void {
    this.#timer = setInterval(() => this.#draw(), 200)
  }

  tell(text: string): void {
    if (process.stdout.isTTY) {
      cursorTo(process.stdout, 0)
      clearLine(process.stdout, 0)
    }
    console.log(text)
  }

  close(): void {
    clearInterval(this.#timer)
    if (process.stdin.isTTY) process.stdin.setRawMode(false)
    console.log()
  }

  #draw(): void {
    const { published, delivered, lost, doubled, silence, longestSilence } = this.#traffic.account
    const quiet = `silence ${seconds(silence)} (longest ${seconds(longestSilence)})`
    const line = `${published} said, ${delivered} delivered, ${lost} lost, ${doubled} doubled, ${quiet}; ${this.agreement}`
    if (!process.stdout.isTTY) return void console.log(line)
    cursorTo(process.stdout, 0)
    process.stdout.write(line.slice(0, process.stdout.columns - 1))
    clearLine(process.stdout, 1)
  }
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1_000).toFixed(1)} s`
}
