/** Something under way that can be stopped before its end. */
export interface Cancellable {
  cancel(): void
}
