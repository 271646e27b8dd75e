import { type Backend } from '../core/backend.ts'
import { type IncomingRequest } from '../core/request.ts'
import { type Controls } from './controls.ts'
import { type MessageContext, type MessageRule, type MessageSender } from './message-hook.ts'

export interface MessageModeOptions {
  readonly tunnel: number
  readonly request: IncomingRequest
  readonly backend: Backend
  /** What hooks can call. */
  readonly controls: Controls
  /** The rule of now: a reload changes it for open tunnels, or takes it away. */
  readonly rule: () => MessageRule | undefined
  /** Milliseconds that a hook may take, as of now. */
  readonly timeout: () => number
}

/** Message mode of one tunnel: which hook sees its messages, and what it is told. */
export class MessageMode {
  readonly context: MessageContext
  readonly timeout: () => number
  readonly #rule: () => MessageRule | undefined
  readonly #end = new AbortController()

  constructor({ tunnel, request, backend, controls, rule, timeout }: MessageModeOptions) {
    const { id, pool } = backend
    this.context = { tunnel, request, backend: id, pool, signal: this.#end.signal, balancer: controls }
    this.timeout = timeout
    this.#rule = rule
  }

  /** For messages of that side; `undefined`: they pass as they are. */
  ruleFor(sender: MessageSender): MessageRule | undefined {
    const rule = this.#rule()
    return rule && (rule.from === 'both' || rule.from === sender) ? rule : undefined
  }

  /** The tunnel has ended. */
  end(): void {
    this.#end.abort()
  }
}
