/** Settles as soon as the condition holds, looking again after every turn of the event loop. */
export async function until(condition: () => boolean, what: string, limit = 5_000): Promise<void> {
  const deadline = performance.now() + limit
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited ${limit} ms in vain for: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}
