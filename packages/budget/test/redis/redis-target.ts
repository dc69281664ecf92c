import { fork } from "node:child_process"
import { Cluster, Redis } from "ioredis"
import { redisStore } from "../../src/redis"
import { connectStore, type SuiteFactory } from "../../src/testing"
import { type Line, startLine } from "./line"

export interface RedisAddress {
  host: string
  port: number
}

/** Far ahead of the real time, so that the server forgets nothing by its own clock in the middle of a case. */
const START = Date.UTC(2060, 0, 31, 23, 0, 0)
const LEDGER_RETENTION_MS = 40 * 86_400_000

/** Ends what the server would have ended by itself at the time of the first argument. */
const FORGET = `
for _, key in ipairs(redis.call('KEYS', ARGV[2] .. '*')) do
  local ends = redis.call('PEXPIRETIME', key)
  if ends >= 0 and ends <= tonumber(ARGV[1]) then redis.call('DEL', key) end
end`

let targets = 0

/** One target per case: a prefix, a clock, connections and a line of its own, on servers that all cases share. */
export function redisFactory(addresses: readonly RedisAddress[], childScript: string): SuiteFactory {
  return async ({ level }) => {
    const prefix = `t${process.pid}-${targets++}`
    const lines = await Promise.all(addresses.map(startLine))
    const admins = addresses.map((address) => new Redis({ ...address, lazyConnect: true }))
    const client = clientOf(addresses, lines)
    const virtual = level !== "processes"
    let now = START
    const open = () =>
      redisStore({
        client,
        prefix,
        ledgerRetentionMs: LEDGER_RETENTION_MS,
        // The machine that runs the tests may be busy; the timeout has a test of its own.
        timeoutMs: level === "faults" ? 1_000 : 20_000,
        ...(virtual ? { now: () => now } : {}),
      })
    let store = open()
    const keys = async () => (await Promise.all(admins.map((admin) => scan(admin, prefix)))).flat()
    return {
      store,
      ledgerRetentionMs: LEDGER_RETENTION_MS,
      clock: virtual
        ? {
            now: () => now,
            advance: async (ms) => {
              now += ms
              await Promise.all(admins.map((admin) => admin.eval(FORGET, 0, now, prefix)))
            },
          }
        : undefined,
      size: async () => (await keys()).filter((key) => /:\{[^}]+\}:[cra]:/.test(key)).length,
      spawn: async () => {
        const urls = addresses.map(({ host, port }) => `redis://${host}:${port}`)
        return connectStore(fork(childScript, [JSON.stringify({ urls, prefix })]))
      },
      faults: {
        down: async () => {
          await Promise.all(lines.map((line) => line.down()))
        },
        up: () => {
          for (const line of lines) line.up()
        },
        loseAnswer: () => {
          // Only one of them sees the script; the answer that it loses is the only one.
          for (const line of lines) line.loseAnswer(() => lines.forEach(disarm))
        },
        damage: async ({ root, key }) => {
          const name = (await keys()).find((one) => one.endsWith(`{${root}}:c:${key}`))!
          const damaged = await Promise.allSettled(admins.map((admin) => admin.set(name, "no cell at all")))
          if (damaged.every((result) => result.status === "rejected")) throw new Error(`${name} was not damaged`)
        },
        restart: async () => {
          await store.close?.()
          store = open()
          return store
        },
      },
      close: async () => {
        await store.close?.()
        client.disconnect()
        for (const admin of admins) {
          for (const key of await scan(admin, prefix)) await admin.unlink(key)
          admin.disconnect()
        }
        await Promise.all(lines.map((line) => line.close()))
      },
    }
  }
}

function disarm(line: Line): void {
  line.keepAnswers()
}

function clientOf(addresses: readonly RedisAddress[], lines: readonly Line[]): Redis | Cluster {
  if (lines.length === 1) return new Redis({ host: lines[0]!.host, port: lines[0]!.port, lazyConnect: true })
  const natMap = Object.fromEntries(
    addresses.map(({ host, port }, index) => [
      `${host}:${port}`,
      { host: lines[index]!.host, port: lines[index]!.port },
    ]),
  )
  return new Cluster([...addresses], { natMap, lazyConnect: true })
}

async function scan(admin: Redis, prefix: string): Promise<string[]> {
  const found: string[] = []
  for await (const keys of admin.scanStream({ match: `${prefix}:*`, count: 1_000 })) found.push(...(keys as string[]))
  return found
}
