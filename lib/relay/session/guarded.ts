/** Calls code of the application: what it throws, or rejects with later, is told and hurts nobody else. */
export function guarded(call: () => unknown, failed: (error: unknown) => void): void {
  try {
    const answer = call()
    if (answer instanceof Promise) answer.catch(failed)
  } catch (error) {
    failed(error)
  }
}
