import { checkOptions, InvalidArgumentError } from "@p2/core"
import {
  type BudgetStore,
  type CounterChange,
  type CounterRef,
  type CounterState,
  type FinalState,
  isOpen,
  type Millis,
  type Name,
} from "../store/budget-store"
import { MAX_DAMAGED_KEYS, withPartition } from "../store/partition-check"
import { corrupt } from "../store/store-error"
import { checkClient, namespaceOf, type RedisClient } from "./client"
import { RedisConnection } from "./connection"
import { damagedRecord } from "./failure"
import { SCRIPTS } from "./generated/scripts"
import { partitionKeys, type RedisSettings } from "./keys"
import { redisLedger } from "./redis-ledger"

const HOUR_MS = 3_600_000
const DAY_MS = 86_400_000
/** Share of the timeout after which the store gives up: before its caller does, so that its error names the reason. */
const DEADLINE_SHARE = 0.9
/** Maximum number of SCAN pages in one `listCounters`. */
const MAX_SCANS = 50
const MAX_SCAN_COUNT = 1_000

export interface RedisStoreOptions {
  /**
   * An ioredis `Redis` or `Cluster`. The store works on a duplicate of it and closes only that. A `keyPrefix` of the client
   * comes before `prefix`.
   */
  client: RedisClient
  /** Prefix of all keys: letters, digits and `_ . : -`. @defaultValue "p2" */
  prefix?: string | undefined
  /** How long resolved keys, and counters after the end of their window, are kept, in ms. @defaultValue one hour */
  retentionMs?: number | undefined
  /** How long usage entries are kept, in ms; 0: none are written. @defaultValue 90 days */
  ledgerRetentionMs?: number | undefined
  /** How long a call may take, in ms. @defaultValue 500 */
  timeoutMs?: number | undefined
  /** For tests only: replaces the server's clock. */
  now?: (() => Millis) | undefined
}

const OPTIONS = new Set(["client", "prefix", "retentionMs", "ledgerRetentionMs", "timeoutMs", "now"])
const CLIENT = "Pass a client of ioredis: `client: new Redis(url)`."
const ADVICE = { url: CLIENT, uri: CLIENT, host: CLIENT, connectionString: CLIENT, redis: CLIENT, connection: CLIENT }

/**
 * A store on Redis 6.2 or later, one server or a Cluster. Each call is one script that declares its keys and uses the
 * server's clock. All keys of a partition are on one shard. docs/redis-layout.md describes the keys, docs/durability.md
 * what survives a crash.
 *
 * @throws InvalidArgumentError if an option is invalid; members reject with a `StoreError`
 * @example
 * const budget = createBudget({ store: redisStore({ client: new Redis(process.env.REDIS_URL) }), limits })
 */
export function redisStore(options: RedisStoreOptions): BudgetStore {
  if (typeof options === "string")
    throw new InvalidArgumentError("options", "an object such as { client: new Redis(url) }", options)
  checkOptions(options, OPTIONS, "options", ADVICE)
  const { client, prefix = "p2", now } = options
  checkClient(client)
  const retentionMs = duration(options.retentionMs ?? HOUR_MS, 1, "retentionMs")
  const ledgerRetentionMs = duration(options.ledgerRetentionMs ?? 90 * DAY_MS, 0, "ledgerRetentionMs")
  const timeoutMs = duration(options.timeoutMs ?? 500, 1, "timeoutMs")
  const namespace = namespaceOf(client, prefix)
  const clock = now === undefined ? () => "" : () => String(now())
  const connection = new RedisConnection({
    client,
    deadlineMs: Math.max(1, Math.floor(timeoutMs * DEADLINE_SHARE)),
    probeKey: `${namespace}:{access-check}:probe`,
  })
  const settings: RedisSettings = { ledgerRetentionMs, namespace, clock }
  const ledger = ledgerRetentionMs > 0 ? redisLedger(connection, settings) : undefined
  const keysOf = (partition: Name) => partitionKeys(namespace, partition)

  /** The KEYS of settle.lua and expire.lua. */
  function keysToResolve(partition: Name, key: Name, names: readonly Name[]): string[] {
    const of = keysOf(partition)
    const own = [of.reservation(key), of.pendingEntry(key), of.entry(key)]
    return [...own, of.leases, of.damaged, of.time, of.entries, ...names.map(of.counter)]
  }

  /** How long to keep a counter, as `forgetTime` in lua/shared/records.lua reads it. */
  function keepOf({ endsAt, keepMs }: CounterRef): number {
    if (endsAt !== null) return Math.max(1, endsAt + Math.max(retentionMs, keepMs ?? 0))
    return keepMs === null ? 0 : -keepMs
  }

  /** Names of the reservation's counters; empty if the record cannot be read. */
  async function storedCounters(reservationKey: string): Promise<Name[]> {
    return connection.command(async (own) => {
      const fields = await own.hkeys(reservationKey).catch((error: unknown) => {
        if (error instanceof Error && error.message.startsWith("WRONGTYPE")) return []
        throw error
      })
      return fields.filter((field) => !field.startsWith("@"))
    })
  }

  async function readCounters(partition: Name, names: readonly Name[]) {
    const of = keysOf(partition)
    const reply = await connection.run(SCRIPTS.read, [of.leases, of.time, ...names.map(of.counter)], [clock()])
    return {
      now: Number(reply[1]),
      due: reply[2] !== 0,
      states: names.map((name, index) => {
        const fields = reply[3 + index]
        const exists = Array.isArray(fields)
        return { exists, state: counterState(name, exists ? fields : [0, 0, 0], 0) }
      }),
      damaged: names.filter((_, index) => reply[3 + index] === "damaged"),
    }
  }

  return {
    name: "redis",
    capabilities: { shared: true, clock: "server", retentionMs, maxCounters: 32, timeoutMs },
    ledger,
    async reserve(request) {
      const { key, fingerprint, counters, leaseMs, pendingEntry } = request
      const of = keysOf(request.partition)
      const keys = [of.reservation(key), of.pendingEntry(key), of.entry(key), of.leases, of.time]
      // Every window is open from `latestStart` to `earliestEnd`.
      let latestStart = 0
      let earliestEnd = Number.MAX_SAFE_INTEGER
      for (const { startsAt, endsAt } of counters) {
        latestStart = Math.max(latestStart, startsAt ?? latestStart)
        earliestEnd = Math.min(earliestEnd, endsAt ?? earliestEnd)
      }
      const pending = ledger === undefined ? "" : JSON.stringify(pendingEntry)
      // The order of KEYS and ARGV is described at the top of lua/reserve.lua.
      const args = [clock(), key, fingerprint, leaseMs, latestStart, earliestEnd, ledgerRetentionMs, pending]
      for (const { name, amount, onExpire } of counters) {
        keys.push(of.counter(name))
        args.push(name, `${amount} ${onExpire} 0`)
      }
      for (const counter of counters) args.push(counter.amount, counter.limit ?? "", keepOf(counter))
      const reply = await connection.run(SCRIPTS.reserve, keys, args)
      const [status, time, due, detail] = reply
      const now = Number(time)
      const states = counters.map(({ name }, index) => counterState(name, reply, 4 + 3 * index))
      const common = { now, due: due !== 0, counters: states }
      switch (status) {
        case "ok":
        case "replayed":
          return { ...common, status: "ok", replayed: status === "replayed", expiresAt: Number(detail) }
        case "exceeded":
          return { ...common, status, which: (detail as unknown[]).map(Number) }
        case "stale-window":
          return {
            ...common,
            status,
            which: counters.flatMap((counter, index) => (isOpen(counter, now) ? [] : [index])),
          }
        case "mismatch":
          return { ...common, status }
        case "resolved":
          return { ...common, status, state: detail as FinalState }
        case "lease-ended":
          return { ...common, status, storedCounters: detail as Name[] }
        default:
          throw unknownStatus(status)
      }
    },
    async settle(request) {
      const { key, fingerprint, outcome, revision, counters, expiresAt, entry } = request
      const names = counters.map(({ name }) => name)
      const json = ledger === undefined ? "" : JSON.stringify(entry)
      const args = [clock(), key, fingerprint, outcome, revision, expiresAt ?? "", retentionMs, ledgerRetentionMs, json]
      args.push(...names)
      for (const counter of counters) {
        args.push(outcome === "settled" ? counter.amount : 0, counter.reserved, keepOf(counter))
      }
      const reply = await connection.run(SCRIPTS.settle, keysToResolve(request.partition, key, names), args)
      const [status, time, replayed, late, recovered, forgottenCounters] = reply
      const now = Number(time)
      switch (status) {
        case "settled":
        case "released":
          return {
            now,
            status,
            counters: names.map((name, index) => counterChange(name, reply, 6 + 5 * index)),
            replayed: replayed === 1,
            late: late === 1,
            recovered: recovered === 1,
            forgottenCounters: Number(forgottenCounters),
          }
        case "mismatch":
        case "forgotten":
          return { now, status }
        case "other-counters":
          return { now, status, storedCounters: reply[2] as Name[] }
        default:
          throw unknownStatus(status)
      }
    },
    async extend({ partition, key, leaseMs }) {
      const of = keysOf(partition)
      const reply = await connection.run(
        SCRIPTS.extend,
        [of.reservation(key), of.leases, of.time],
        [clock(), key, leaseMs],
      )
      const [status, time, expiresAt, fingerprint, ...rest] = reply
      const now = Number(time)
      if (status !== "held") return { now, status: status as FinalState | "unknown" }
      const counters = (rest as string[][]).map(([name, amount, onExpire]) => ({
        name: name!,
        amount: Number(amount),
        onExpire: Number(onExpire),
      }))
      return { now, status, expiresAt: Number(expiresAt), fingerprint: fingerprint as string, counters }
    },
    async expire({ partition, key, counters }) {
      const args = [clock(), key, retentionMs, ledgerRetentionMs, ...counters]
      const reply = await connection.run(SCRIPTS.expire, keysToResolve(partition, key, counters), args)
      const [status, time] = reply
      const now = Number(time)
      switch (status) {
        case "expired":
          return {
            now,
            status,
            counters: counters.map((name, index) => counterChange(name, reply, 2 + 6 * index)),
            charged: counters.map((_, index) => Number(reply[2 + 6 * index + 5])),
          }
        case "not-due":
        case "damaged":
          return { now, status }
        case "other-counters":
          return { now, status, storedCounters: reply[2] as Name[] }
        default:
          throw unknownStatus(status)
      }
    },
    /** Not atomic: reads the names of the counters after the keys. */
    async listDue({ partition, limit }) {
      const of = keysOf(partition)
      const [, now, due] = await connection.run(SCRIPTS.listDue, [of.leases, of.time], [clock(), limit])
      const listed = (due as Name[]).map(async (key) => ({
        key,
        counters: await storedCounters(of.reservation(key)),
      }))
      return { now: Number(now), due: await Promise.all(listed) }
    },
    async read({ partition, counters }) {
      const { now, due, states, damaged } = await readCounters(partition, counters)
      if (damaged.length > 0) throw damagedRecord("counter")
      return { now, due, counters: states.map(({ state }) => state) }
    },
    async adjust({ partition, key, counter, kind, delta }) {
      const { name, startsAt, endsAt } = counter
      const of = keysOf(partition)
      const args = [clock(), name, kind, delta, retentionMs, startsAt ?? "", endsAt ?? "", keepOf(counter)]
      const reply = await connection.run(SCRIPTS.adjust, [of.adjustment(key), of.counter(name), of.time], args)
      const [status, time, replayed, applied] = reply
      const now = Number(time)
      if (status !== "ok") return { now, status: status as "mismatch" | "stale-window" }
      return { now, status, counter: counterChange(name, reply, 4), replayed: replayed === 1, applied: Number(applied) }
    },
    async listCounters(request) {
      const of = keysOf(request.partition)
      const prefix = of.counter("")
      let [node = "", position = "0"] = request.cursor?.split(":") ?? []
      let count = request.limit
      const names = new Set<Name>()
      for (let scans = 0; scans < MAX_SCANS && names.size < request.limit; scans++) {
        const reply = await connection.run(
          SCRIPTS.scanCounters,
          [of.time, of.absent],
          [`${prefix}*`, node, position, count],
        )
        const found = reply[3] as string[]
        for (const key of found) names.add(key.slice(prefix.length))
        node = reply[1] as string
        position = reply[2] as string
        if (position === "0") break
        if (found.length === 0) count = Math.min(2 * count, MAX_SCAN_COUNT)
      }
      const { now, states, damaged } = await readCounters(request.partition, [...names])
      const counters = states.filter(({ exists }) => exists).map(({ state }) => state)
      return { now, counters, damaged, cursor: position === "0" ? null : `${node}:${position}` }
    },
    async acceptClock({ partition }) {
      const [, now, before] = await connection.run(SCRIPTS.acceptClock, [keysOf(partition).time], [clock()])
      return { now: Number(now), before: Number(before) }
    },
    async check(request = {}) {
      const checked = await connection.check()
      if (request.partition === undefined || !checked.ok) return checked
      const of = keysOf(request.partition)
      const args = [clock(), MAX_DAMAGED_KEYS]
      const [, now, latest, damaged] = await connection.run(SCRIPTS.checkPartition, [of.damaged, of.time], args)
      const clockBehindMs = Math.max(0, Number(latest) - Number(now))
      return withPartition(checked, { damaged: (damaged as Name[]).sort(), clockBehindMs })
    },
    async close() {
      connection.close()
    },
  }
}

/** A counter whose fields begin at an index of a reply. */
function counterState(name: Name, reply: readonly unknown[], first: number): CounterState {
  return {
    name,
    spent: Number(reply[first]),
    reserved: Number(reply[first + 1]),
    granted: Number(reply[first + 2]),
  }
}

/** A counter in the reply of a script that changes it. */
function counterChange(name: Name, reply: readonly unknown[], first: number): CounterChange {
  return {
    ...counterState(name, reply, first),
    peakBefore: Number(reply[first + 3]),
    peak: Number(reply[first + 4]),
  }
}

function unknownStatus(status: unknown) {
  return corrupt(`A script of the store replied with the unknown status ${JSON.stringify(status)}.`)
}

function duration(value: number, least: number, argument: string): number {
  if (Number.isSafeInteger(value) && value >= least) return value
  throw new InvalidArgumentError(argument, `milliseconds, an integer from ${least}`, value)
}
