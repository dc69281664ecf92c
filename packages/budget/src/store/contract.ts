import type { UsageFilter } from "../usage/entry"
import { usageEntry } from "../usage/entry-shape"
import type { UsageLedger } from "../usage/ledger"
import type { BudgetStore, Name } from "./budget-store"
import {
  boolean,
  byStatus,
  type Defect,
  integer,
  integerFrom,
  isNatural,
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
export interface MemberRules<Request, Reply> {
  request: Shape
  reply: (reply: Reply, request: Request) => Defect | undefined
}

type RulesOf<Store, Member extends keyof Store> = {
  readonly [Each in Member]: Store[Each] extends (request: infer Request) => Promise<infer Reply>
    ? MemberRules<Request, Reply>
    : never
}

export type StoreRules = RulesOf<
  Required<BudgetStore>,
  Exclude<keyof BudgetStore, "name" | "capabilities" | "ledger" | "close">
>
export type LedgerRules = RulesOf<UsageLedger, keyof UsageLedger>

/** 100 years, so that times remain safe integers. */
const MAX_DURATION_MS = 3_155_760_000_000
/** Maximum number of names in one `read`, and of bucket boundaries. */
const MAX_LIST = 100_000

const duration = integerFrom(1, MAX_DURATION_MS)
const boundary = shape("epoch milliseconds", (value) => Number.isSafeInteger(value) && (value as number) >= -MAX_TIME)
const partition = { partition: name }
const key = { partition: name, key: name }
const fingerprint = shape(
  "1 to 64 ASCII characters",
  (value) => typeof value === "string" && /^[\x20-\x7e]{1,64}$/.test(value),
)
const cursor = nullable(
  shape("a cursor of an earlier page", (value) => typeof value === "string" && value.length <= 256),
)
const names = listOf(name)
const finalState = oneOf("settled", "released", "expired")
const counterRef = { name, startsAt: nullable(boundary), endsAt: nullable(boundary), keepMs: nullable(duration) }
const reserveCounter = both(
  objectOf({ ...counterRef, amount: natural, limit: nullable(natural), onExpire: natural }),
  ({ amount, onExpire }: { amount: number; onExpire: number }) =>
    onExpire > amount ? { path: ".onExpire", expected: `at most the amount of ${amount}`, value: onExpire } : undefined,
)
const settleCounter = objectOf({ ...counterRef, reserved: natural, amount: natural })

const state = { name, spent: integer, reserved: integer, granted: integer }
const change = objectOf({ ...state, peakBefore: integer, peak: integer })
const states = listOf(objectOf(state))
const changes = listOf(change)
const now = { now: time }

/** What the budget sends to a store, and what a store may reply. An invalid time in a reply would make every window unbounded. */
export function storeRules(maxCounters: number): StoreRules {
  const ofReserve = { ...now, due: boolean, counters: states }
  const indexes = listOf(natural, maxCounters)
  const reserveReply = byStatus({
    ok: objectOf({ ...ofReserve, replayed: boolean, expiresAt: natural }),
    exceeded: objectOf({ ...ofReserve, which: indexes }),
    "stale-window": objectOf({ ...ofReserve, which: indexes }),
    mismatch: objectOf(ofReserve),
    resolved: objectOf({ ...ofReserve, state: finalState }),
    "lease-ended": objectOf({ ...ofReserve, storedCounters: names }),
  })
  const ended = {
    ...now,
    counters: changes,
    replayed: boolean,
    late: boolean,
    recovered: boolean,
    forgottenCounters: natural,
  }
  const settleReply = byStatus({
    settled: objectOf(ended),
    released: objectOf(ended),
    mismatch: objectOf(now),
    forgotten: objectOf(now),
    "other-counters": objectOf({ ...now, storedCounters: names }),
  })
  const reservedCounter = objectOf({ name, amount: natural, onExpire: natural })
  const onlyNow = objectOf(now)
  const extendReply = byStatus({
    held: objectOf({ ...now, expiresAt: natural, fingerprint: string, counters: listOf(reservedCounter) }),
    ...{ settled: onlyNow, released: onlyNow, expired: onlyNow, unknown: onlyNow },
  })
  const expireReply = byStatus({
    expired: objectOf({ ...now, counters: changes, charged: listOf(natural) }),
    "not-due": onlyNow,
    damaged: onlyNow,
    "other-counters": objectOf({ ...now, storedCounters: names }),
  })
  const adjustReply = byStatus({
    ok: objectOf({ ...now, counter: change, replayed: boolean, applied: integer }),
    mismatch: onlyNow,
    "stale-window": onlyNow,
  })
  const dueLease = objectOf({ key: string, counters: names })
  return {
    reserve: {
      request: objectOf({
        ...{ ...key, fingerprint, leaseMs: duration, pendingEntry: usageEntry },
        counters: both(listOf(reserveCounter, maxCounters), differentNames),
      }),
      reply: (reply, { counters }) =>
        reserveReply(reply) ??
        sameNames(
          reply.counters,
          counters.map(({ name: each }) => each),
        ) ??
        ("which" in reply ? indexesBelow(reply.which, counters.length) : undefined),
    },
    settle: {
      request: objectOf({
        ...{ ...key, fingerprint, outcome: oneOf("settled", "released"), revision: natural },
        ...{ expiresAt: nullable(natural), entry: usageEntry },
        counters: both(listOf(settleCounter, maxCounters), differentNames),
      }),
      reply: (reply, { outcome, counters }) => {
        const defect = settleReply(reply)
        if (defect !== undefined || !("counters" in reply)) return defect
        if (reply.status !== outcome) return { path: ".status", expected: outcome, value: reply.status }
        return sameNames(
          reply.counters,
          counters.map(({ name: each }) => each),
        )
      },
    },
    extend: { request: objectOf({ ...key, leaseMs: duration }), reply: extendReply },
    expire: {
      request: objectOf({ ...key, counters: both(listOf(name, maxCounters), differentNames) }),
      reply: (reply, { counters }) => {
        const defect = expireReply(reply)
        if (defect !== undefined || reply.status !== "expired") return defect
        return sameNames(reply.counters, counters) ?? sameLength(reply.charged, counters.length, ".charged")
      },
    },
    listDue: {
      request: objectOf({ ...partition, limit: integerFrom(1, 64) }),
      reply: (reply, { limit }) => objectOf({ ...now, due: listOf(dueLease, limit) })(reply),
    },
    read: {
      request: objectOf({ ...partition, counters: both(listOf(name, MAX_LIST), differentNames) }),
      reply: (reply, { counters }) =>
        objectOf({ ...now, due: boolean, counters: states })(reply) ?? sameNames(reply.counters, counters),
    },
    adjust: {
      request: both(
        objectOf({ ...key, counter: objectOf(counterRef), kind: oneOf("spent", "granted", "reset"), delta: integer }),
        ({ kind, delta }: { kind: string; delta: number }) =>
          kind === "reset" && delta !== 0 ? { path: ".delta", expected: "0 for a reset", value: delta } : undefined,
      ),
      reply: (reply, { counter }) =>
        adjustReply(reply) ?? (reply.status === "ok" ? sameNames([reply.counter], [counter.name]) : undefined),
    },
    listCounters: {
      request: objectOf({ ...partition, cursor, limit: integerFrom(1, 10_000) }),
      reply: objectOf({ ...now, counters: states, damaged: names, cursor: nullable(string) }),
    },
    acceptClock: { request: objectOf(partition), reply: objectOf({ ...now, before: time }) },
    check: {
      request: objectOf({ partition: optional(name) }),
      reply: objectOf({ ok: boolean, warnings: listOf(string) }),
    },
  }
}

const text = optional(string)
const filter = objectOf({
  ...{ from: optional(boundary), to: optional(boundary), requestId: text, clientId: text, userId: text },
  ...{ model: text, provider: text, status: text, tag: optional(objectOf({ name: string, value: string })) },
} satisfies Record<keyof UsageFilter, Shape>)

const GROUPS: readonly unknown[] = ["userId", "clientId", "model", "provider", "status", "bucket"]
const group = shape(
  `one of ${GROUPS.join(", ")}, or { tag }`,
  (value) => GROUPS.includes(value) || typeof (value as { tag?: unknown } | null)?.tag === "string",
)
const isAscending = (values: readonly number[]) =>
  values.every((value, index) => index === 0 || value > values[index - 1]!)
const buckets = both(listOf(integer, MAX_LIST), (values: number[]) =>
  isAscending(values) ? undefined : { path: "", expected: "ascending times in epoch milliseconds", value: values },
)
const list = objectOf({ entries: listOf(objectOf({})) })

/** The same for a ledger. */
export const ledgerRules: LedgerRules = {
  record: { request: objectOf({ ...key, entry: usageEntry }), reply: objectOf(now) },
  get: { request: objectOf({ ...partition, requestId: name }), reply: listOf(objectOf({})) },
  list: {
    request: objectOf({ ...partition, filter, cursor, limit: integerFrom(1, 1_000), newestFirst: boolean }),
    reply: list,
  },
  totals: {
    request: both(
      objectOf({ ...partition, filter, groupBy: listOf(group), buckets: nullable(buckets) }),
      ({ groupBy, buckets: times }: { groupBy: unknown[]; buckets: number[] | null }) =>
        groupBy.includes("bucket") && (times?.length ?? 0) < 2
          ? { path: ".buckets", expected: 'at least two boundaries for the group "bucket"', value: times }
          : undefined,
    ),
    reply: listOf(objectOf({})),
  },
  prune: { request: objectOf({ ...partition, before: boundary }), reply: objectOf({ removed: natural }) },
}

/** A shape with a rule for values that have the shape. */
function both<T>(first: Shape, second: (value: T) => Defect | undefined): Shape {
  return (value) => first(value) ?? second(value as T)
}

function differentNames(counters: readonly (Name | { name: Name })[]): Defect | undefined {
  const seen = new Set<Name>()
  for (const [index, counter] of counters.entries()) {
    const each = typeof counter === "string" ? counter : counter.name
    if (seen.has(each))
      return { path: `[${index}]`, expected: "a counter that is not in the list already", value: each }
    seen.add(each)
  }
  return undefined
}

function sameNames(counters: readonly { name: Name }[], requested: readonly Name[]): Defect | undefined {
  const wrong = requested.findIndex((each, index) => counters[index]?.name !== each)
  if (wrong !== -1) return { path: `.counters[${wrong}].name`, expected: "that of the request", value: undefined }
  return sameLength(counters, requested.length, ".counters")
}

function sameLength(values: readonly unknown[], length: number, path: string): Defect | undefined {
  return values.length === length ? undefined : { path, expected: `an array of ${length}`, value: values }
}

function indexesBelow(which: readonly number[], count: number): Defect | undefined {
  const isValid = which.length > 0 && which.every((index) => isNatural(index) && index < count)
  return isValid ? undefined : { path: ".which", expected: "indexes of the request's counters", value: which }
}
