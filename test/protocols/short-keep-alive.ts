import { Agent, setGlobalDispatcher } from 'undici'

/** For libraries that ask by fetch(), which would keep connections open long after they have closed. */
setGlobalDispatcher(new Agent({ keepAliveTimeout: 10, keepAliveMaxTimeout: 10 }))
