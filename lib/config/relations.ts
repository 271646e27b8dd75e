import { type ConfigProblem } from '../core/errors.ts'
import { defaultId } from './backend-rule.ts'
import { closestTo } from '../core/closest.ts'
import { routeOrderProblems } from './route-relations.ts'
import { isObject, show } from './rule.ts'

type Raw = Readonly<Record<string, unknown>>

/**
 * How the parts of a config fit together. Works on the input as it was given, skipping what the schema complains about,
 * so that both kinds of problems are told at once.
 */
export function relationProblems(config: Raw): ConfigProblem[] {
  return [
    ...poolProblems(config),
    ...onLostProblems(config),
    ...discoveryProblems(config),
    ...routeProblems(config),
    ...idProblems(config),
    ...listenProblems(config),
  ]
}

function poolProblems(config: Raw): ConfigProblem[] {
  if (config.backends === undefined) {
    if (config.pools === undefined || (isObject(config.pools) && Object.keys(config.pools).length === 0)) {
      return [problem('backends', 'is missing; give backends: ["http://127.0.0.1:3000"], or pools by name')]
    }
    return ['balance', 'sticky', 'onLost', 'health', 'rebalance', 'retryBudget', 'slowStart', 'discovery']
      .filter((key) => config[key] !== undefined)
      .map((key) => problem(key, 'has no effect without backends beside it; write it into each pool'))
  }
  return 'default' in poolsOf(config)
    ? [
        problem(
          'pools.default',
          'is given twice: the backends at the top level are the pool "default"; keep one of them',
        ),
      ]
    : []
}

function discoveryProblems(config: Raw): ConfigProblem[] {
  return allPools(config)
    .filter(([, pool]) => isObject(pool) && Array.isArray(pool.backends) && pool.discovery !== undefined)
    .map(([path]) =>
      problem(formatPath([...path, 'discovery']), 'has no effect on a list of backends; it is for a source'),
    )
}

function onLostProblems(config: Raw): ConfigProblem[] {
  const pools = Object.entries(poolsOf(config)).map(([name, pool]) => [['pools', name], pool] as const)
  return [[[], config] as const, ...pools].flatMap(([path, pool]) => {
    if (!isObject(pool) || pool.onLost === undefined) return []
    const at = (...rest: string[]) => formatPath([...path, 'onLost', ...rest])
    const { sticky, onLost, health } = pool
    if (sticky === false || (Array.isArray(sticky) && sticky.length === 0))
      return [problem(at(), 'has no effect: with sticky false no client belongs to a backend; remove it')]
    const hasOwn = listOf(pool.backends).some((backend) => isObject(backend) && backend.health !== undefined)
    const waits = isObject(onLost) && isObject(onLost.down) && 'wait' in onLost.down
    const unnoticed = health === false && !hasOwn && waits
    return unnoticed
      ? [
          problem(
            at('down', 'wait'),
            'needs the health loop, which tells when it is back; remove health: false',
          ),
        ]
      : []
  })
}

function routeProblems(config: Raw): ConfigProblem[] {
  const names = [...(config.backends === undefined ? [] : ['default']), ...Object.keys(poolsOf(config))]
  if (names.length === 0) return []
  if (config.routes === undefined) {
    const pools = names.map(show).join(', ')
    return names.includes('default')
      ? []
      : [
          problem(
            'routes',
            `is missing; without routes everything goes to the pool "default", but there is only ${pools}`,
          ),
        ]
  }
  const unknown = listOf(config.routes).flatMap((route, index) => {
    if (!isObject(route) || typeof route.pool !== 'string' || names.includes(route.pool)) return []
    const hint = closestTo(route.pool, names) || `; there is ${names.map(show).join(', ')}`
    return [problem(`routes[${index}].pool`, `there is no pool ${show(route.pool)}${hint}`)]
  })
  return [...unknown, ...routeOrderProblems(listOf(config.routes))]
}

/** Two backends of one id. */
export function idProblems(config: Raw): ConfigProblem[] {
  return allPools(config).flatMap(([path, pool]) => {
    const at = (index: number) => formatPath([...path, 'backends', index])
    return repeated(isObject(pool) ? listOf(pool.backends) : [], idOf).map(({ key, index, first }) =>
      problem(at(index), `has the same id ${show(key)} as ${at(first)}; give one of them another id`),
    )
  })
}

function listenProblems(config: Raw): ConfigProblem[] {
  return repeated(listOf(config.listen), addressOf).map(({ key, index, first }) =>
    problem(`listen[${index}]`, `listens on ${key} like listen[${first}]; remove one of them`),
  )
}

function idOf(backend: unknown): string | undefined {
  const { id, url }: Raw = isObject(backend) ? backend : { url: backend }
  if (typeof id === 'string') return id
  return typeof url === 'string' && URL.canParse(url) ? defaultId(new URL(url)) : undefined
}

function addressOf(listener: unknown): string | undefined {
  const { port, host = '0.0.0.0' }: Raw = isObject(listener) ? listener : { port: listener }
  // Port 0 is another port each time.
  return typeof port === 'number' && port !== 0 && typeof host === 'string' ? `${host}:${port}` : undefined
}

/** The items whose key another one before them has. */
function repeated(items: readonly unknown[], keyOf: (item: unknown) => string | undefined) {
  const firsts = new Map<string, number>()
  return items.flatMap((item, index) => {
    const key = keyOf(item)
    if (key === undefined) return []
    const first = firsts.get(key)
    if (first !== undefined) return [{ key, index, first }]
    firsts.set(key, index)
    return []
  })
}

/** With their paths; the one at the top level first. */
function allPools(config: Raw): (readonly [path: readonly string[], pool: unknown])[] {
  return [
    [[], config],
    ...Object.entries(poolsOf(config)).map(([name, pool]) => [['pools', name], pool] as const),
  ]
}

function poolsOf(config: Raw): Raw {
  return isObject(config.pools) ? config.pools : {}
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

function problem(path: string, message: string): ConfigProblem {
  return { path, message }
}

/** `['pools', 'chat', 'backends', 2]` → `pools.chat.backends[2]`. */
export function formatPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`
    const name = String(key)
    if (!/^[\w$-]+$/.test(name)) return `${text}[${JSON.stringify(name)}]`
    return text ? `${text}.${name}` : name
  }, '')
}
