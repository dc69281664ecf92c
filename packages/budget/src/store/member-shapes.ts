import { STATUSES, type UsageFilter, usageEntry } from "../usage/entry"
import type { UsageLedger } from "../usage/ledger"
import type { AdjustRequest, BudgetStore, Name, ReserveCounter } from "./budget-store"
import {
  boolean,
  both,
  byStatus,
  type Defect,
  duration,
  integer,
  integerFrom,
  listOf,
  MAX_TIME,
  name,
  natural,
  nullable,
  objectOf,
  oneOf,
  optional,
  type Shape,
  shape,
  string,
  time,
} from "./shape"

/** The shapes of a member's request and reply. A reply may depend on its request. */
export interface MemberShapes<Request, Reply> {
  request: Shape
  reply: (reply: Reply, request: Request) => Defect | undefined
}

type ShapesOf<Store, Member extends keyof Store> = {
  readonly [Each in Member]: Store[Each] extends (request: infer Request) => Promise<infer Reply>
    ? MemberShapes<Request, Reply>
    : never
}

export type StoreShapes = ShapesOf<
  Required<BudgetStore>,
  Exclude<keyof BudgetStore, "name" | "capabilities" | "ledger" | "close">
>
export type LedgerShapes = ShapesOf<UsageLedger, keyof UsageLedger>
type TotalsRequest = Parameters<UsageLedger["totals"]>[0]

/** Maximum number of names in one `read`, and of bucket boundaries. */
const MAX_LIST = 100_000

// ── Requests ──

const instant = shape("epoch milliseconds", (value) => Number.isSafeInteger(value) && (value as number) >= -MAX_TIME)
const fingerprint = shape("1 to 64 ASCII characters", (value) => isMatch(value, /^[\x20-\x7e]{1,64}$/))
/** The shape of a cursor. */
export const cursor = nullable(shape("a cursor of an earlier page", (value) => isMatch(value, /^.{0,256}$/s)))
const partition = { partition: name }
const key = { partition: name, key: name }
const counterRef = { name, startsAt: nullable(instant), endsAt: nullable(instant), keepMs: nullable(duration) }
const reserveCounter = both(
  objectOf({ ...counterRef, amount: natural, limit: nullable(natural), onExpire: natural }),
  ({ amount, onExpire }: ReserveCounter) =>
    onExpire > amount ? { path: ".onExpire", expected: `at most the amount of ${amount}`, value: onExpire } : undefined,
)
const settleCounter = objectOf({ ...counterRef, reserved: natural, amount: natural })
const adjustRequest = both(
  objectOf({ ...key, counter: objectOf(counterRef), kind: oneOf("spent", "granted", "reset"), delta: integer }),
  ({ kind, delta }: AdjustRequest) =>
    kind === "reset" && delta !== 0 ? { path: ".delta", expected: "0 for a reset", value: delta } : undefined,
)

// ── Replies ──

const now = { now: time }
const names = { storedCounters: listOf(name) }
/** Names are compared with those of the request, which are valid. */
const state = { spent: integer, reserved: integer, granted: integer }
const change = objectOf({ ...state, peakBefore: integer, peak: integer })
const states = { counters: listOf(objectOf(state)) }
const changes = { counters: listOf(change) }
const which = { which: listOf(natural) }
const reserveReply = byStatus(
  { ...now, ...states, due: boolean },
  {
    ...{ ok: { replayed: boolean, expiresAt: natural }, exceeded: which, "stale-window": which, mismatch: {} },
    ...{ resolved: { state: oneOf("settled", "released", "expired") }, "lease-ended": names },
  },
)
const ended = { ...changes, replayed: boolean, late: boolean, recovered: boolean, forgottenCounters: natural }
const settleReply = byStatus(now, {
  ...{ settled: ended, released: ended, mismatch: {}, forgotten: {}, "other-counters": names },
})
const reservedCounters = listOf(objectOf({ name, amount: natural, onExpire: natural }))
const extendReply = byStatus(now, {
  held: { expiresAt: natural, fingerprint: string, counters: reservedCounters },
  ...{ settled: {}, released: {}, expired: {}, unknown: {} },
})
const expireReply = byStatus(now, {
  expired: { ...changes, charged: listOf(natural) },
  ...{ "not-due": {}, damaged: {}, "other-counters": names },
})
const adjustReply = byStatus(now, {
  ok: { counter: change, replayed: boolean, applied: integer },
  ...{ mismatch: {}, "stale-window": {} },
})
const readReply = objectOf({ ...now, ...states, due: boolean })
const dueLeases = listOf(objectOf({ key: name, counters: listOf(name) }))
const listDueReply = objectOf({ ...now, due: dueLeases })

/** What the budget sends to a store, and what a store may reply. An invalid time in a reply would make every window unbounded. */
export function storeShapes(maxCounters: number): StoreShapes {
  const counters = (counter: Shape) => both(listOf(counter, maxCounters), differentNames)
  return {
    reserve: {
      request: objectOf({
        ...{ ...key, fingerprint, leaseMs: duration, pendingEntry: usageEntry, counters: counters(reserveCounter) },
      }),
      reply: (reply, request) =>
        reserveReply(reply) ??
        sameNames(reply.counters, request.counters) ??
        ("which" in reply ? indexesBelow(reply.which, request.counters.length) : undefined),
    },
    settle: {
      request: objectOf({
        ...{ ...key, fingerprint, outcome: oneOf("settled", "released"), revision: natural },
        ...{ expiresAt: nullable(natural), entry: usageEntry, counters: counters(settleCounter) },
      }),
      reply: (reply, request) => {
        const defect = settleReply(reply)
        if (defect !== undefined || !("counters" in reply)) return defect
        if (reply.status === request.outcome) return sameNames(reply.counters, request.counters)
        return { path: ".status", expected: request.outcome, value: reply.status }
      },
    },
    extend: { request: objectOf({ ...key, leaseMs: duration }), reply: extendReply },
    expire: {
      request: objectOf({ ...key, counters: counters(name) }),
      reply: (reply, request) => {
        const defect = expireReply(reply)
        if (defect !== undefined || reply.status !== "expired") return defect
        const count = request.counters.length
        return sameNames(reply.counters, request.counters) ?? ofLength(reply.charged, count, ".charged")
      },
    },
    listDue: {
      request: objectOf({ ...partition, limit: integerFrom(1, 64) }),
      reply: (reply, { limit }) => listDueReply(reply) ?? listOf(objectOf({}), limit)(reply.due),
    },
    read: {
      request: objectOf({ ...partition, counters: both(listOf(name, MAX_LIST), differentNames) }),
      reply: (reply, request) => readReply(reply) ?? sameNames(reply.counters, request.counters),
    },
    adjust: {
      request: adjustRequest,
      reply: (reply, { counter }) =>
        adjustReply(reply) ?? (reply.status === "ok" ? sameNames([reply.counter], [counter]) : undefined),
    },
    listCounters: {
      request: objectOf({ ...partition, cursor, limit: integerFrom(1, 10_000) }),
      reply: objectOf({
        ...now,
        counters: listOf(objectOf({ name, ...state })),
        damaged: listOf(name),
        cursor: nullable(string),
      }),
    },
    acceptClock: { request: objectOf(partition), reply: objectOf({ ...now, before: time }) },
    check: {
      request: objectOf({ partition: optional(name) }),
      reply: objectOf({ ok: boolean, warnings: listOf(string) }),
    },
  }
}

const text = optional(string)
/** The shape of a filter. */
export const usageFilter = objectOf({
  ...{ from: optional(instant), to: optional(instant), requestId: text, clientId: text, userId: text },
  ...{ model: text, provider: text, status: optional(oneOf(...STATUSES)) },
  tag: optional(objectOf({ name: string, value: string })),
} satisfies Record<keyof UsageFilter, Shape>)

const GROUPS: readonly unknown[] = ["userId", "clientId", "model", "provider", "status", "bucket"]
const group = shape(
  `one of ${GROUPS.join(", ")}, or { tag }`,
  (value) => GROUPS.includes(value) || typeof (value as { tag?: unknown } | null)?.tag === "string",
)
const buckets = both(listOf(integer, MAX_LIST), (times: number[]) => {
  const isAscending = times.every((at, index) => index === 0 || at > times[index - 1]!)
  return isAscending ? undefined : { path: "", expected: "ascending times in epoch milliseconds", value: times }
})
const totalsRequest = both(
  objectOf({ ...partition, filter: usageFilter, groupBy: listOf(group), buckets: nullable(buckets) }),
  ({ groupBy, buckets: times }: TotalsRequest) =>
    groupBy.includes("bucket") && (times?.length ?? 0) < 2
      ? { path: ".buckets", expected: 'at least two boundaries for the group "bucket"', value: times }
      : undefined,
)
const rows = listOf(objectOf({}))

/** The same for a ledger. */
export const ledgerShapes: LedgerShapes = {
  record: { request: objectOf({ ...key, entry: usageEntry }), reply: objectOf(now) },
  get: { request: objectOf({ ...partition, requestId: name }), reply: rows },
  list: {
    request: objectOf({
      ...partition,
      filter: usageFilter,
      cursor,
      limit: integerFrom(1, 1_000),
      newestFirst: boolean,
    }),
    reply: objectOf({ entries: rows }),
  },
  totals: { request: totalsRequest, reply: rows },
  prune: { request: objectOf({ ...partition, before: instant }), reply: objectOf({ removed: natural }) },
}

function isMatch(value: unknown, pattern: RegExp): boolean {
  return typeof value === "string" && pattern.test(value)
}

type Named = Name | { name: Name }
const nameOf = (counter: Named): Name => (typeof counter === "string" ? counter : counter.name)

function differentNames(counters: readonly Named[]): Defect | undefined {
  const seen = new Set<Name>()
  for (const [index, counter] of counters.entries()) {
    const value = nameOf(counter)
    if (seen.has(value)) return { path: `[${index}]`, expected: "a counter that is not in the list already", value }
    seen.add(value)
  }
  return undefined
}

function sameNames(counters: readonly Named[], requested: readonly Named[]): Defect | undefined {
  if (counters.length !== requested.length) return ofLength(counters, requested.length, ".counters")
  for (let index = 0; index < counters.length; index++)
    if (nameOf(counters[index]!) !== nameOf(requested[index]!))
      return { path: `.counters[${index}].name`, expected: "that of the request", value: undefined }
  return undefined
}

function ofLength(values: readonly unknown[], length: number, path: string): Defect | undefined {
  return values.length === length ? undefined : { path, expected: `an array of ${length}`, value: values }
}

function indexesBelow(indexes: readonly number[], count: number): Defect | undefined {
  if (indexes.length > 0 && indexes.every((index) => index < count)) return undefined
  return { path: ".which", expected: "indexes of the request's counters", value: indexes }
}
