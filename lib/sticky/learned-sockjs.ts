import { type LearnedRule } from './learned-rule.ts'

/**
 * SockJS: the client makes its session up and puts it into the path, `/<prefix>/<server>/<session>/<transport>`; the
 * backend that answers the request that opens it has it. A WebSocket is a session for itself and needs none of this.
 */
export const sockJs: LearnedRule = {
  name: 'sockjs',
  id({ method, path }) {
    // A preflight is answered by every server alike.
    return method === 'OPTIONS' ? undefined : SESSION.exec(path)?.[1]
  },
}

const SESSION = /\/([^/.]+\/[^/.]+)\/(?:xhr|xhr_send|xhr_streaming|eventsource|htmlfile|jsonp|jsonp_send)\/?$/
