import { findRedisServer } from "../fetch.mjs"
import { type RedisServer, startRedis } from "./start-redis"

/** The Redis that a test file works on. */
export interface RedisForTests {
  readonly url: string
  /** Absent for the user's server (`REDIS_URL`): do not flush or stop it, and use your own key names. */
  readonly server: RedisServer | undefined
  /** Stops the server if this function started it. */
  close(): Promise<void>
}

/**
 * The server of `REDIS_URL`, or a new one. If neither is possible, throws when `CI` is `true`; otherwise prints a
 * warning once and resolves to undefined, so that the caller skips its tests visibly.
 */
export async function redisForTests(): Promise<RedisForTests | undefined> {
  const { REDIS_URL, CI } = process.env
  if (REDIS_URL !== undefined && REDIS_URL !== "") return { url: REDIS_URL, server: undefined, close: async () => {} }
  if ((await findRedisServer({ fetch: true })) !== undefined) {
    const server = await startRedis()
    return { url: server.url, server, close: () => server.stop() }
  }
  const missing = "No redis-server: set REDIS_URL, or put one on the PATH."
  if (CI === "true") throw new Error(`${missing} With CI=true the Redis tests may not be skipped.`)
  warnOnce(`\n!!! ${missing} THE REDIS TESTS OF THIS FILE ARE SKIPPED. !!!\n`)
  return undefined
}

const WARNED = Symbol.for("@p2/redis-server/warned")

function warnOnce(message: string): void {
  const marks = globalThis as unknown as Record<symbol, boolean>
  if (marks[WARNED] === true) return
  marks[WARNED] = true
  console.warn(message)
}
