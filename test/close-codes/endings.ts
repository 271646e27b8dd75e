import { type Balancer } from '../../lib/balancer.ts'

/** What ends a tunnel: a column of the table. */
export interface Ending {
  readonly column: string
  /** What the client is told; 1006 says that it was told nothing. */
  readonly code: number
  readonly act: (open: {
    readonly balancer: Balancer
    readonly tunnel: { readonly id: number; readonly backend: string }
    /** Cuts what the backend has open, as a crash does. */
    readonly crash: () => void
    /** The same in the middle of a frame, where no Close can be put. */
    readonly breakOff: () => void
    /** The next upgrade gets 503. */
    readonly refuseOne: () => void
  }) => void
}

const closed = (code: number, reason = 'see the docs', column = String(code)): Ending => ({
  column,
  code,
  act: ({ balancer, tunnel }) => void balancer.closeTunnel(tunnel.id, { code, reason }),
})

export const endings: readonly Ending[] = [
  {
    column: '1012',
    code: 1012,
    act: ({ balancer, tunnel }) => void balancer.drain(tunnel.backend, { over: 0 }),
  },
  closed(1001),
  closed(1013),
  { column: '1014', code: 1014, act: ({ crash }) => crash() },
  { column: '1006', code: 1006, act: ({ breakOff }) => breakOff() },
  closed(1002),
  closed(1007),
  closed(1008),
  closed(1009),
  closed(1012, '{"reason":"restart","reconnect":false}', 'JSON'),
  {
    column: '503',
    code: 1006,
    act: ({ refuseOne, breakOff }) => {
      refuseOne()
      breakOff()
    },
  },
]
