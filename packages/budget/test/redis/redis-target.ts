import { fork } from "node:child_process"
import { Cluster, Redis } from "ioredis"
import { redisStore } from "../../src/redis"
import { connectStore, createFaultyProxy, type SuiteFactory, type TcpAddress } from "../../src/testing"

/** Far ahead of the real time, so that the server expires no key during a case. */
const START = Date.UTC(2060, 0, 31, 23)
const LEDGER_RETENTION_MS = 40 * 86_400_000

/** Deletes what the server would have deleted by itself at the time of the first argument. */
const DELETE_EXPIRED = `
for _, key in ipairs(redis.call('KEYS', ARGV[2] .. ':*')) do
  local expiresAt = redis.call('PEXPIRETIME', key)
  if expiresAt >= 0 and expiresAt <= tonumber(ARGV[1]) then redis.call('DEL', key) end
end`

let targets = 0

/** One target per case, with its own prefix, clock, connections and proxy, on servers that all cases share. */
export function redisFactory(servers: readonly TcpAddress[], childScript: string): SuiteFactory {
  return async ({ level }) => {
    const prefix = `t${process.pid}-${targets++}`
    const proxy = await createFaultyProxy({
      targets: servers,
      // Any script except the access check before the first call of a connection.
      isCall: (sent) => /\r\neval(?:sha)?\r\n(?!.*\{access-check\})/is.test(Buffer.from(sent).toString("latin1")),
      isRejection: (received) => /^-(?:NOSCRIPT|MOVED)/.test(Buffer.from(received).toString("latin1")),
    })
    const admins = servers.map((server) => new Redis({ ...server, lazyConnect: true }))
    const client = clientOf(servers, proxy.addresses)
    const isVirtual = level !== "processes"
    let now = START
    const open = () =>
      redisStore({
        client,
        prefix,
        ledgerRetentionMs: LEDGER_RETENTION_MS,
        // The machine that runs the tests may be busy. Another test covers the timeout.
        timeoutMs: level === "faults" ? 1_000 : 20_000,
        ...(isVirtual ? { now: () => now } : {}),
      })
    let store = open()
    const allKeys = async () => (await Promise.all(admins.map((admin) => scan(admin, prefix)))).flat()
    return {
      store,
      ledgerRetentionMs: LEDGER_RETENTION_MS,
      ...(isVirtual
        ? {
            clock: {
              now: () => now,
              advance: async (ms: number) => {
                now += ms
                await Promise.all(admins.map((admin) => admin.eval(DELETE_EXPIRED, 0, now, prefix)))
              },
            },
          }
        : {}),
      size: async () => (await allKeys()).filter((key) => /:\{[^}]+\}:[cra]:/.test(key)).length,
      spawn: async () => {
        const urls = servers.map(({ host, port }) => `redis://${host}:${port}`)
        return connectStore(fork(childScript, [JSON.stringify({ urls, prefix })]))
      },
      faults: {
        down: () => proxy.down(),
        up: () => proxy.up(),
        loseAnswer: () => proxy.loseAnswer(),
        damage: async ({ partition, kind, key }) => {
          const name = `${prefix}:{${partition}}:${kind === "counter" ? "c" : "r"}:${key}`
          const outcomes = await Promise.allSettled(admins.map((admin) => admin.set(name, "not a record")))
          // In a Cluster, all nodes but one reply MOVED.
          if (outcomes.every(({ status }) => status === "rejected")) throw new Error(`${name} was not damaged`)
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
        await proxy.close()
      },
    }
  }
}

function clientOf(servers: readonly TcpAddress[], addresses: readonly TcpAddress[]): Redis | Cluster {
  if (addresses.length === 1) return new Redis({ ...addresses[0]!, lazyConnect: true })
  const natMap = Object.fromEntries(servers.map(({ host, port }, index) => [`${host}:${port}`, addresses[index]!]))
  return new Cluster([...servers], { natMap, lazyConnect: true })
}

async function scan(admin: Redis, prefix: string): Promise<string[]> {
  const found: string[] = []
  for await (const keys of admin.scanStream({ match: `${prefix}:*`, count: 1_000 })) found.push(...(keys as string[]))
  return found
}
