/**
 * The backends that a target means: `id`, for that backend in every pool; `pool/id`; `pool` or `pool/*` for all of a
 * pool; `*` for all. A backend that has the name of a pool comes first: that one has a second name.
 */
export function targeted<T>(
  target: string,
  all: readonly T[],
  backendOf: (one: T) => { readonly id: string; readonly pool: string },
): T[] {
  const called = (namesOf: (id: string, pool: string) => readonly string[]) =>
    all.filter((one) => {
      const { id, pool } = backendOf(one)
      return namesOf(id, pool).includes(target)
    })
  const found = called((id, pool) => ['*', id, `${pool}/${id}`, `${pool}/*`])
  return found.length > 0 ? found : called((_id, pool) => [pool])
}
