export type { RedisClient } from "./redis/client"
export { type RedisStoreOptions, redisStore } from "./redis/redis-store"
