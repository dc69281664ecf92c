import { findRedisServer } from "@p2/redis-server"
import { STORES } from "../fuzz/world-stores"
import { describeFuzz } from "./fuzz-cases"

// It is flushed before each world, so `REDIS_URL` is not used.
const noRedis = (await findRedisServer({ fetch: true })) === undefined
if (noRedis && process.env.CI === "true") throw new Error("There is no redis-server, and CI=true forbids skipping.")

const SLOW = STORES.filter((name) => name !== "memory")

describeFuzz(SLOW.filter((name) => name !== "redis" || !noRedis))
