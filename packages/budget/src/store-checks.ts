import { InvalidArgumentError } from "@p2/core"
import type { StoredEntry, UsageDraft, UsageEntry, UsageFilter, UsageGroup } from "./ledger"
import type { AdjustRequest, CellRef, Name, ReserveRequest, SettleRequest } from "./store"

const NAME = /^[A-Za-z0-9_.:|=-]+$/
/** Most bytes of a root or an id. */
export const MAX_ID_BYTES = 64
/** Most bytes of a cell's key. */
export const MAX_KEY_BYTES = 200
/** Most bytes of UTF-8 of a prompt or an answer in the ledger. */
export const MAX_CONTENT_BYTES = 65_536

/** Throws unless `value` is a {@link Name} of at most `maxBytes`: what can neither leave its root nor merge with another. */
export function checkName(argument: string, value: unknown, maxBytes: number): asserts value is Name {
  // The alphabet is ASCII, so that characters are bytes.
  if (typeof value === "string" && value.length <= maxBytes && NAME.test(value)) return
  throw new InvalidArgumentError(argument, `1 to ${maxBytes} characters of A-Z a-z 0-9 _ . : | = -`, value)
}

function checkNat(argument: string, value: unknown): void {
  if (Number.isSafeInteger(value) && (value as number) >= 0) return
  throw new InvalidArgumentError(argument, "a safe integer of at least 0", value)
}

function checkPositive(argument: string, value: unknown): void {
  if (Number.isSafeInteger(value) && (value as number) >= 1) return
  throw new InvalidArgumentError(argument, "a safe integer of at least 1", value)
}

function checkText(argument: string, value: unknown): void {
  if (typeof value !== "string") throw new InvalidArgumentError(argument, "a string", value)
}

/** Keys that passed the check before, such as those of the cells that a store has. */
interface CheckedKeys {
  has(key: Name): boolean
}

// A store runs these checks on every call: names of arguments are put together only when something is wrong.

function checkCellNat(value: unknown, index: number, field: string): void {
  if (Number.isSafeInteger(value) && (value as number) >= 0) return
  checkNat(`cells[${index}].${field}`, value)
}

function checkRef(cell: CellRef, index: number, checked: CheckedKeys | undefined): void {
  const { key, startsAt, endsAt, keepMs } = cell
  if (checked?.has(key) !== true && (typeof key !== "string" || key.length > MAX_KEY_BYTES || !NAME.test(key)))
    checkName(`cells[${index}].key`, key, MAX_KEY_BYTES)
  if (startsAt !== null) checkCellNat(startsAt, index, "startsAt")
  if (endsAt !== null) checkCellNat(endsAt, index, "endsAt")
  if (keepMs !== null && !(Number.isSafeInteger(keepMs) && keepMs >= 1)) checkPositive(`cells[${index}].keepMs`, keepMs)
}

function checkCells(cells: readonly CellRef[], maxCells: number, checked?: CheckedKeys): void {
  if (!Array.isArray(cells) || cells.length > maxCells)
    throw new InvalidArgumentError("cells", `a list of at most ${maxCells} cells`, cells)
  for (let index = 0; index < cells.length; index++) {
    const cell = cells[index] as CellRef
    checkRef(cell, index, checked)
    for (let before = 0; before < index; before++)
      if ((cells[before] as CellRef).key === cell.key)
        throw new InvalidArgumentError(`cells[${index}].key`, "a key that no other cell of the call has", cell.key)
  }
}

function checkRootAndId(request: { root: Name; id: Name }): void {
  checkName("root", request.root, MAX_ID_BYTES)
  checkName("id", request.id, MAX_ID_BYTES)
}

/** Every store checks again what core has checked, because anybody may call it. @throws InvalidArgumentError */
export function checkReserveRequest(request: ReserveRequest, maxCells: number): void {
  checkRootAndId(request)
  checkReserveContent(request, maxCells)
}

/** All but root and id. */
export function checkReserveContent(request: ReserveRequest, maxCells: number, checked?: CheckedKeys): void {
  checkText("fingerprint", request.fingerprint)
  checkPositive("leaseMs", request.leaseMs)
  checkCells(request.cells, maxCells, checked)
  for (let index = 0; index < request.cells.length; index++) {
    const { amount, limit, onExpire } = request.cells[index]!
    checkCellNat(amount, index, "amount")
    checkCellNat(onExpire, index, "onExpire")
    if (limit !== null) checkCellNat(limit, index, "limit")
    if (onExpire > amount)
      throw new InvalidArgumentError(`cells[${index}].onExpire`, `at most the amount ${amount}`, onExpire)
  }
  if (request.draft !== undefined) checkDraft(request.draft, "draft")
}

/** @throws InvalidArgumentError */
export function checkSettleRequest(request: SettleRequest, maxCells: number): void {
  checkRootAndId(request)
  checkSettleContent(request, maxCells)
}

/** All but root and id. */
export function checkSettleContent(request: SettleRequest, maxCells: number, checked?: CheckedKeys): void {
  checkText("fingerprint", request.fingerprint)
  checkNat("revision", request.revision)
  if (request.outcome !== "commit" && request.outcome !== "release")
    throw new InvalidArgumentError("outcome", '"commit" or "release"', request.outcome)
  if (request.expiresAt !== null) checkNat("expiresAt", request.expiresAt)
  checkCells(request.cells, maxCells, checked)
  for (let index = 0; index < request.cells.length; index++) {
    const { reserved, amount } = request.cells[index]!
    checkCellNat(reserved, index, "reserved")
    checkCellNat(amount, index, "amount")
  }
  if (request.entry !== undefined) checkEntry(request.entry, "entry")
}

/** @throws InvalidArgumentError */
export function checkExtendRequest(request: { root: Name; id: Name; leaseMs: number }): void {
  checkRootAndId(request)
  checkPositive("leaseMs", request.leaseMs)
}

/** @throws InvalidArgumentError */
export function checkReadRequest(request: { root: Name; keys: readonly Name[] }): void {
  checkName("root", request.root, MAX_ID_BYTES)
  if (!Array.isArray(request.keys)) throw new InvalidArgumentError("keys", "a list of keys", request.keys)
  for (const [index, key] of request.keys.entries()) checkName(`keys[${index}]`, key, MAX_KEY_BYTES)
}

/** @throws InvalidArgumentError */
export function checkAdjustRequest(request: AdjustRequest): void {
  checkRootAndId(request)
  checkCells([request.cell], 1)
  if (request.kind !== "spent" && request.kind !== "granted" && request.kind !== "reset")
    throw new InvalidArgumentError("kind", '"spent", "granted" or "reset"', request.kind)
  if (!Number.isSafeInteger(request.delta)) throw new InvalidArgumentError("delta", "a safe integer", request.delta)
}

/** @throws InvalidArgumentError */
export function checkSweepRequest(request: { root: Name; max: number }): void {
  checkName("root", request.root, MAX_ID_BYTES)
  checkPositive("max", request.max)
}

/** @throws InvalidArgumentError */
export function checkRecordRequest(request: { root: Name; id: Name; entry: UsageEntry }): void {
  checkRootAndId(request)
  checkEntry(request.entry, "entry")
}

/** @throws InvalidArgumentError */
export function checkListRequest(request: {
  root: Name
  filter: UsageFilter
  limit: number
  order?: string | undefined
}): void {
  checkName("root", request.root, MAX_ID_BYTES)
  checkPositive("limit", request.limit)
  const { order } = request
  if (order !== undefined && order !== "oldest" && order !== "newest")
    throw new InvalidArgumentError("order", '"oldest" or "newest"', order)
  checkFilter(request.filter)
}

/** @throws InvalidArgumentError */
export function checkTotalsRequest(request: {
  root: Name
  filter: UsageFilter
  groupBy: readonly UsageGroup[]
  buckets?: readonly number[] | undefined
}): void {
  checkName("root", request.root, MAX_ID_BYTES)
  checkFilter(request.filter)
  const { buckets, groupBy } = request
  const ascending = (buckets ?? []).every(
    (start, index) => Number.isSafeInteger(start) && (index === 0 || start > buckets![index - 1]!),
  )
  if (!ascending)
    throw new InvalidArgumentError("buckets", "boundaries in ascending order, in epoch milliseconds", buckets)
  if (groupBy.includes("bucket") && (buckets === undefined || buckets.length < 2))
    throw new InvalidArgumentError("buckets", 'at least two boundaries when `groupBy` has "bucket"', buckets)
}

/** @throws InvalidArgumentError */
export function checkPruneRequest(request: { root: Name; before: number }): void {
  checkName("root", request.root, MAX_ID_BYTES)
  if (!Number.isSafeInteger(request.before))
    throw new InvalidArgumentError("before", "an instant in epoch milliseconds", request.before)
}

function checkFilter(filter: UsageFilter): void {
  if (typeof filter !== "object" || filter === null) throw new InvalidArgumentError("filter", "an object", filter)
  for (const field of ["from", "to"] as const) {
    const value = filter[field]
    if (value !== undefined && !Number.isSafeInteger(value))
      throw new InvalidArgumentError(`filter.${field}`, "an instant in epoch milliseconds", value)
  }
}

const DRAFT_TEXTS = ["userId", "clientId", "provider", "mode", "fingerprint"] as const
const STATUSES: readonly unknown[] = ["succeeded", "failed", "refused", "expired", "released"]
const CONTENT_TEXTS = ["prompt", "answer"] as const

/** @throws InvalidArgumentError */
export function checkDraft(draft: UsageDraft, at: string): void {
  if (typeof draft.requestId !== "string") checkText(`${at}.requestId`, draft.requestId)
  if (typeof draft.model !== "string") checkText(`${at}.model`, draft.model)
  if (!(Number.isSafeInteger(draft.attempt) && draft.attempt >= 1)) checkPositive(`${at}.attempt`, draft.attempt)
  checkCount(draft.reservedNanoUsd, at, "reservedNanoUsd")
  if (draft.expireCostNanoUsd !== undefined) checkCount(draft.expireCostNanoUsd, at, "expireCostNanoUsd")
  if (!hasTexts(draft)) for (const field of DRAFT_TEXTS) if (draft[field] !== undefined) checkText(field, draft[field])
  const { tags } = draft
  if (tags !== undefined) for (const name of Object.keys(tags)) checkText("a tag", tags[name])
}

/** Asked field by field: V8 looks a name of a list up in a table, which costs more than all the rest. */
function hasTexts({ userId, clientId, provider, mode, fingerprint }: UsageDraft): boolean {
  return (
    isTextOrAbsent(userId) &&
    isTextOrAbsent(clientId) &&
    isTextOrAbsent(provider) &&
    isTextOrAbsent(mode) &&
    isTextOrAbsent(fingerprint)
  )
}

function isTextOrAbsent(value: unknown): boolean {
  return value === undefined || typeof value === "string"
}

/** @throws InvalidArgumentError */
export function checkEntry(entry: UsageEntry, at: string): void {
  checkDraft(entry, at)
  if (!STATUSES.includes(entry.status))
    throw new InvalidArgumentError(`${at}.status`, `one of ${STATUSES.join(", ")}`, entry.status)
  checkCount(entry.costNanoUsd, at, "costNanoUsd")
  if (entry.tableCostNanoUsd !== undefined) checkCount(entry.tableCostNanoUsd, at, "tableCostNanoUsd")
  checkCounts(entry.tokens, `${at}.tokens`)
  if (entry.costs !== undefined) checkCounts(entry.costs, `${at}.costs`)
  for (const field of CONTENT_TEXTS) {
    const text = entry[field]
    if (text === undefined) continue
    checkText(field, text)
    if (utf8Bytes(text) > MAX_CONTENT_BYTES)
      throw new InvalidArgumentError(`${at}.${field}`, `at most ${MAX_CONTENT_BYTES} bytes of UTF-8`, text)
  }
}

function checkCounts(counts: Record<string, number>, at: string): void {
  if (typeof counts !== "object" || counts === null) throw new InvalidArgumentError(at, "counts by kind", counts)
  for (const kind of Object.keys(counts)) checkCount(counts[kind], at, kind)
}

function checkCount(value: unknown, at: string, field: string): void {
  if (Number.isSafeInteger(value) && (value as number) >= 0) return
  checkNat(`${at}.${field.slice(0, 40)}`, value)
}

function utf8Bytes(text: string): number {
  // Three bytes are the most that one UTF-16 unit takes, one the least.
  if (text.length * 3 <= MAX_CONTENT_BYTES) return text.length
  if (text.length > MAX_CONTENT_BYTES) return text.length
  return new TextEncoder().encode(text).byteLength
}

/** The order of the ledger: time of the first write, then id by UTF-16 units. */
export function compareEntries(a: Pick<StoredEntry, "at" | "id">, b: Pick<StoredEntry, "at" | "id">): number {
  return a.at - b.at || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
}
