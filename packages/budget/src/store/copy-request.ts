import { InvalidArgumentError } from "@p2/core"
import type { UsageEntry, UsageFilter } from "../usage/entry"
import type { UsageGroup, UsageLedger } from "../usage/ledger"
import type {
  AdjustRequest,
  CounterRef,
  ExpireRequest,
  ExtendRequest,
  Name,
  ReserveCounter,
  ReserveRequest,
  SettleCounter,
  SettleRequest,
} from "./budget-store"
import { copyEntry } from "./check-entry"
import {
  checkInteger,
  checkName,
  checkNatural,
  isName,
  isNatural,
  NAME_EXPECTED,
  NATURAL_EXPECTED,
} from "./check-value"
import { MAX_TIME } from "./max-time"

/** Each function validates and copies a request: the caller may change its objects during the call. */

const FINGERPRINT = /^[\x20-\x7e]{1,64}$/
const MAX_CURSOR_LENGTH = 256
/** 100 years, so that times remain safe integers. */
const MAX_DURATION_MS = 3_155_760_000_000
/** Maximum number of names in one `read`, and of bucket boundaries. */
const MAX_LIST = 100_000

export function copyReserveRequest(request: ReserveRequest, maxCounters: number): ReserveRequest {
  const { partition, key, fingerprint, leaseMs } = request
  checkKey(partition, key)
  checkFingerprint(fingerprint)
  return {
    partition,
    key,
    fingerprint,
    counters: copyCounters(request.counters, maxCounters, copyReserveCounter),
    leaseMs: checkDuration(leaseMs, "leaseMs"),
    pendingEntry: copyEntry(request.pendingEntry, "pendingEntry"),
  }
}

export function copySettleRequest(request: SettleRequest, maxCounters: number): SettleRequest {
  const { partition, key, fingerprint, outcome, revision, expiresAt } = request
  checkKey(partition, key)
  checkFingerprint(fingerprint)
  if (outcome !== "settled" && outcome !== "released")
    throw new InvalidArgumentError("outcome", '"settled" or "released"', outcome)
  checkNatural(revision, "revision")
  if (expiresAt !== null) checkNatural(expiresAt, "expiresAt")
  return {
    partition,
    key,
    fingerprint,
    outcome,
    revision,
    counters: copyCounters(request.counters, maxCounters, copySettleCounter),
    expiresAt,
    entry: copyEntry(request.entry, "entry"),
  }
}

export function copyExtendRequest({ partition, key, leaseMs }: ExtendRequest): ExtendRequest {
  checkKey(partition, key)
  return { partition, key, leaseMs: checkDuration(leaseMs, "leaseMs") }
}

export function copyExpireRequest({ partition, key, counters }: ExpireRequest, maxCounters: number): ExpireRequest {
  checkKey(partition, key)
  return { partition, key, counters: copyNames(counters, maxCounters) }
}

export function copyListDueRequest({ partition, limit }: { partition: Name; limit: number }) {
  checkName(partition, "partition")
  return { partition, limit: checkInteger(limit, 1, "limit", 64) }
}

export function copyReadRequest({ partition, counters }: { partition: Name; counters: Name[] }) {
  checkName(partition, "partition")
  return { partition, counters: copyNames(counters, MAX_LIST) }
}

export function copyAdjustRequest({ partition, key, counter, kind, delta }: AdjustRequest): AdjustRequest {
  checkKey(partition, key)
  if (kind !== "spent" && kind !== "granted" && kind !== "reset")
    throw new InvalidArgumentError("kind", '"spent", "granted" or "reset"', kind)
  checkInteger(delta, -Number.MAX_SAFE_INTEGER, "delta")
  if (kind === "reset" && delta !== 0) throw new InvalidArgumentError("delta", "0 for a reset", delta)
  checkRef(counter, () => "counter")
  const { name, startsAt, endsAt, keepMs } = counter
  return { partition, key, counter: { name, startsAt, endsAt, keepMs }, kind, delta }
}

export function copyListCountersRequest(request: { partition: Name; cursor: string | null; limit: number }) {
  const { partition, cursor, limit } = request
  checkName(partition, "partition")
  checkCursor(cursor)
  return { partition, cursor, limit: checkInteger(limit, 1, "limit", 10_000) }
}

export function copyPartitionRequest({ partition }: { partition: Name }) {
  checkName(partition, "partition")
  return { partition }
}

export function copyRecordRequest({ partition, key, entry }: { partition: Name; key: Name; entry: UsageEntry }) {
  checkKey(partition, key)
  return { partition, key, entry: copyEntry(entry, "entry") }
}

export function copyGetRequest({ partition, requestId }: { partition: Name; requestId: string }) {
  checkName(partition, "partition")
  checkName(requestId, "requestId")
  return { partition, requestId }
}

type ListRequest = Parameters<UsageLedger["list"]>[0]

export function copyListRequest({ partition, filter, cursor, limit, newestFirst }: ListRequest): ListRequest {
  checkName(partition, "partition")
  checkCursor(cursor)
  if (typeof newestFirst !== "boolean") throw new InvalidArgumentError("newestFirst", "true or false", newestFirst)
  return { partition, filter: copyFilter(filter), cursor, limit: checkInteger(limit, 1, "limit", 1_000), newestFirst }
}

type TotalsRequest = Parameters<UsageLedger["totals"]>[0]

export function copyTotalsRequest({ partition, filter, groupBy, buckets }: TotalsRequest): TotalsRequest {
  checkName(partition, "partition")
  if (!Array.isArray(groupBy)) throw new InvalidArgumentError("groupBy", "an array of groups", groupBy)
  if (buckets !== null) checkBuckets(buckets)
  if (groupBy.includes("bucket") && (buckets?.length ?? 0) < 2)
    throw new InvalidArgumentError("buckets", 'at least two boundaries for the group "bucket"', buckets)
  return {
    partition,
    filter: copyFilter(filter),
    groupBy: groupBy.map((group, index) => copyGroup(group, `groupBy[${index}]`)),
    buckets: buckets === null ? null : [...buckets],
  }
}

export function copyPruneRequest({ partition, before }: { partition: Name; before: number }) {
  checkName(partition, "partition")
  return { partition, before: checkInteger(before, -MAX_TIME, "before") }
}

function checkKey(partition: unknown, key: unknown): void {
  checkName(partition, "partition")
  checkName(key, "key")
}

function checkFingerprint(fingerprint: unknown): void {
  if (typeof fingerprint === "string" && FINGERPRINT.test(fingerprint)) return
  throw new InvalidArgumentError("fingerprint", "1 to 64 ASCII characters", fingerprint)
}

function checkDuration(value: unknown, path: string): number {
  return checkInteger(value, 1, path, MAX_DURATION_MS)
}

function checkCursor(cursor: unknown): void {
  if (cursor === null || (typeof cursor === "string" && cursor.length <= MAX_CURSOR_LENGTH)) return
  throw new InvalidArgumentError("cursor", "null, or a cursor of an earlier page", cursor)
}

function copyCounters<T extends CounterRef>(
  counters: readonly T[],
  maxCounters: number,
  copy: (counter: T, path: () => string) => T,
): T[] {
  checkArray(counters, maxCounters, "counters")
  const copies = counters.map((counter, index) => copy(counter, () => `counters[${index}]`))
  const repeated = copies.findIndex(({ name }, index) => copies.some((other, at) => at < index && other.name === name))
  if (repeated !== -1) throw repeatedName(repeated, copies[repeated]!.name)
  return copies
}

// Paths are functions: making every string costs a pair of calls 15 % of its time (bench/memory.mjs).

function copyReserveCounter(counter: ReserveCounter, path: () => string): ReserveCounter {
  checkRef(counter, path)
  const { name, startsAt, endsAt, keepMs, amount, limit, onExpire } = counter
  if (!isNatural(amount)) throw new InvalidArgumentError(`${path()}.amount`, NATURAL_EXPECTED, amount)
  if (limit !== null && !isNatural(limit))
    throw new InvalidArgumentError(`${path()}.limit`, `null, or ${NATURAL_EXPECTED}`, limit)
  if (!isNatural(onExpire) || onExpire > amount)
    throw new InvalidArgumentError(`${path()}.onExpire`, `a safe integer from 0 to the amount ${amount}`, onExpire)
  return { name, startsAt, endsAt, keepMs, amount, limit, onExpire }
}

function copySettleCounter(counter: SettleCounter, path: () => string): SettleCounter {
  checkRef(counter, path)
  const { name, startsAt, endsAt, keepMs, reserved, amount } = counter
  if (!isNatural(reserved)) throw new InvalidArgumentError(`${path()}.reserved`, NATURAL_EXPECTED, reserved)
  if (!isNatural(amount)) throw new InvalidArgumentError(`${path()}.amount`, NATURAL_EXPECTED, amount)
  return { name, startsAt, endsAt, keepMs, reserved, amount }
}

function checkRef(counter: CounterRef, path: () => string): void {
  if (typeof counter !== "object" || counter === null) throw new InvalidArgumentError(path(), "a counter", counter)
  const { name, startsAt, endsAt, keepMs } = counter
  if (!isName(name)) throw new InvalidArgumentError(`${path()}.name`, NAME_EXPECTED, name)
  if (startsAt !== null && !isTime(startsAt))
    throw new InvalidArgumentError(`${path()}.startsAt`, TIME_EXPECTED, startsAt)
  if (endsAt !== null && !isTime(endsAt)) throw new InvalidArgumentError(`${path()}.endsAt`, TIME_EXPECTED, endsAt)
  if (keepMs !== null) checkDuration(keepMs, "keepMs")
}

const TIME_EXPECTED = "null, or epoch milliseconds"

function isTime(value: number): boolean {
  return Number.isSafeInteger(value) && value >= -MAX_TIME
}

function copyNames(names: readonly Name[], most: number): Name[] {
  checkArray(names, most, "counters")
  const unique = new Set<Name>()
  for (const [index, name] of names.entries()) {
    checkName(name, `counters[${index}]`)
    if (unique.has(name)) throw repeatedName(index, name)
    unique.add(name)
  }
  return [...names]
}

function checkArray(value: unknown, most: number, path: string): void {
  if (Array.isArray(value) && value.length <= most) return
  throw new InvalidArgumentError(path, `an array of at most ${most}`, value)
}

function repeatedName(index: number, name: Name): InvalidArgumentError {
  return new InvalidArgumentError(`counters[${index}]`, "a counter that is not in the list already", name)
}

const FILTER_STRINGS = ["requestId", "clientId", "userId", "model", "provider", "status"] as const

function copyFilter(filter: UsageFilter): UsageFilter {
  if (typeof filter !== "object" || filter === null) throw new InvalidArgumentError("filter", "an object", filter)
  const { from, to, tag } = filter
  if (from !== undefined) checkInteger(from, -MAX_TIME, "filter.from")
  if (to !== undefined) checkInteger(to, -MAX_TIME, "filter.to")
  for (const field of FILTER_STRINGS)
    if (filter[field] !== undefined && typeof filter[field] !== "string")
      throw new InvalidArgumentError(`filter.${field}`, "a string", filter[field])
  if (tag !== undefined && (typeof tag?.name !== "string" || typeof tag.value !== "string"))
    throw new InvalidArgumentError("filter.tag", 'a tag such as { name: "team", value: "search" }', tag)
  return tag === undefined ? { ...filter } : { ...filter, tag: { name: tag.name, value: tag.value } }
}

const GROUPS: readonly unknown[] = ["userId", "clientId", "model", "provider", "status", "bucket"]

function copyGroup(group: UsageGroup, path: string): UsageGroup {
  if (typeof group === "object" && typeof group?.tag === "string") return { tag: group.tag }
  if (GROUPS.includes(group)) return group
  throw new InvalidArgumentError(path, `one of ${GROUPS.join(", ")}, or { tag }`, group)
}

function checkBuckets(buckets: readonly number[]): void {
  checkArray(buckets, MAX_LIST, "buckets")
  const ascending = buckets.every(
    (start, index) => Number.isSafeInteger(start) && (index === 0 || start > buckets[index - 1]!),
  )
  if (!ascending) throw new InvalidArgumentError("buckets", "ascending times in epoch milliseconds", buckets)
}
