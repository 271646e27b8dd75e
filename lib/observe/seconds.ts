/** Milliseconds as people read them: `84 s`, `0.25 s`. */
export function seconds(ms: number): string {
  return `${Math.round(ms / 10) / 100} s`
}
