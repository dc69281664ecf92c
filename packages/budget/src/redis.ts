export type { RedisClient } from "./redis/redis-client"
export { type RedisStoreOptions, redisStore } from "./redis/redis-store"
