/** What a user's code can throw or return, by what is wrong with it when it is looked at. */
export function hostileValues(): Record<string, unknown> {
  const boom = () => {
    throw new Error('boom')
  }
  const { proxy, revoke } = Proxy.revocable<object>({}, {})
  revoke()
  return {
    'an object without a prototype': Object.create(null) as object,
    'an Error whose message is a symbol': Object.assign(new Error(), { message: Symbol('odd') }),
    'an Error whose message cannot be read': Object.defineProperty(new Error(), 'message', { get: boom }),
    'an Error whose stack cannot be read': Object.defineProperty(new Error('odd'), 'stack', { get: boom }),
    'an object that cannot become text': { toString: boom },
    'an object that cannot be inspected': { [Symbol.for('nodejs.util.inspect.custom')]: boom },
    'a revoked proxy': proxy,
  }
}
