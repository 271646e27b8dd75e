import { type LearnedRule } from './learned-rule.ts'

const NEGOTIATE = /\/negotiate\/?$/

/**
 * ASP.NET Core SignalR: `connectionToken` in the answer to `POST <hub>/negotiate` (before negotiate version 1 it was
 * `connectionId`), and `id` in the query of every request to the hub after it. The hub is part of what is remembered, so
 * that an `id` that means something else is not taken for one.
 */
export const signalR: LearnedRule = {
  name: 'signalr',
  id({ method, path, url, query }) {
    if (method === 'OPTIONS' || !url.includes('id=')) return undefined
    const token = query.get('id')
    return token === null ? undefined : connection(path, token)
  },
  opens: ({ method, path }) => method === 'POST' && NEGOTIATE.test(path),
  idFromAnswer(body, { path }) {
    const { connectionToken, connectionId } = JSON.parse(body) as Record<string, unknown>
    const token = connectionToken ?? connectionId
    return typeof token === 'string' ? connection(path.replace(NEGOTIATE, ''), token) : undefined
  },
}

function connection(hub: string, token: string): string {
  return `${hub.replace(/\/$/, '')} ${token}`
}
