import { unknownKey } from './closest.ts'
import { ConfigError } from './errors.ts'

/**
 * Options are an object without unknown keys: behind a slip of the fingers a default would stay in force, unseen.
 * @param maker who takes them, as it is called: `poll`
 * @param known all of them: the compiler asks for those that are missing here
 * @param remedy what to write, when they are no object
 * @throws ConfigError with a problem for each unknown key
 */
export function assertOptions<T extends object>(
  maker: string,
  options: T,
  known: Readonly<Record<keyof T, true>>,
  remedy = '',
): void {
  const names = Object.keys(known)
  const given: unknown = options
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    const got = Array.isArray(given) ? 'a list' : given == null ? String(given) : `a ${typeof given}`
    const message = `${maker}: got ${got}; expected an object with ${names.join(', ')}${remedy}`
    throw new ConfigError([{ path: '', message }])
  }
  const problems = Object.keys(given)
    .filter((key) => !Object.hasOwn(known, key))
    .map((key) => ({ path: '', message: `${maker}: ${key}: ${unknownKey(key, names)}` }))
  if (problems.length > 0) throw new ConfigError(problems)
}
