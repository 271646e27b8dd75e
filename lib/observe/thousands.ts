/** A count as people read it: `18 204`. */
export function thousands(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ' ')
}
