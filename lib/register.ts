export { registerBackend } from './discovery/register-backend.ts'
export type { Registration, RegisterOptions } from './discovery/register-backend.ts'
export type { RedisClient } from './discovery/redis-client.ts'
