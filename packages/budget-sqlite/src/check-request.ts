import type { AdjustRequest, CellRef, ReserveRequest, SettleRequest, UsageDraft, UsageEntry } from "@p2/budget"
import { InvalidArgumentError } from "@p2/core"

const NAME = /^[A-Za-z0-9_.:|=-]+$/
const MAX_TEXT_BYTES = 65_536
const STATUSES: ReadonlySet<unknown> = new Set(["succeeded", "failed", "refused", "expired", "released"])

export function checkName(argument: string, value: unknown, maxLength: number): void {
  // The alphabet is ASCII, so characters are bytes.
  if (typeof value !== "string" || value.length > maxLength || !NAME.test(value)) {
    throw new InvalidArgumentError(argument, `1 to ${maxLength} characters of A-Z a-z 0-9 _ . : | = -`, value)
  }
}

export function checkNat(argument: string, value: unknown, least = 0): void {
  if (!Number.isSafeInteger(value) || (value as number) < least) {
    throw new InvalidArgumentError(argument, `a safe integer of at least ${least}`, value)
  }
}

function checkInteger(argument: string, value: unknown): void {
  if (!Number.isSafeInteger(value)) throw new InvalidArgumentError(argument, "a safe integer", value)
}

function checkText(argument: string, value: unknown): void {
  if (typeof value !== "string") throw new InvalidArgumentError(argument, "a string", value)
}

export function checkRoot(root: unknown): void {
  checkName("root", root, 64)
}

function checkRef(argument: string, cell: CellRef): void {
  checkName(`${argument}.key`, cell.key, 200)
  if (cell.startsAt !== null) checkInteger(`${argument}.startsAt`, cell.startsAt)
  if (cell.endsAt !== null) checkInteger(`${argument}.endsAt`, cell.endsAt)
  if (cell.keepMs !== null) checkNat(`${argument}.keepMs`, cell.keepMs)
}

/** Whether {@link checkRef} has nothing to say. Hardly a call is wrong, and paths are written down only for an error. */
function isRef({ key, startsAt, endsAt, keepMs }: CellRef): boolean {
  return (
    typeof key === "string" &&
    key.length <= 200 &&
    NAME.test(key) &&
    (startsAt === null || Number.isSafeInteger(startsAt)) &&
    (endsAt === null || Number.isSafeInteger(endsAt)) &&
    (keepMs === null || isNat(keepMs))
  )
}

function isNat(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function checkRefs(cells: readonly CellRef[], maxCells: number): void {
  if (!Array.isArray(cells) || cells.length > maxCells) {
    throw new InvalidArgumentError("cells", `at most ${maxCells} cells`, cells)
  }
  const keys = new Set<string>()
  for (let index = 0; index < cells.length; index++) {
    const cell = cells[index]!
    if (!isRef(cell)) checkRef(`cells[${index}]`, cell)
    if (keys.has(cell.key)) throw new InvalidArgumentError(`cells[${index}].key`, "in the call only once", cell.key)
    keys.add(cell.key)
  }
}

export function checkReserve(request: ReserveRequest, maxCells: number): void {
  checkRoot(request.root)
  checkName("id", request.id, 64)
  checkText("fingerprint", request.fingerprint)
  checkNat("leaseMs", request.leaseMs, 1)
  checkRefs(request.cells, maxCells)
  for (const [index, cell] of request.cells.entries()) {
    const { amount, onExpire, limit } = cell
    if (isNat(amount) && isNat(onExpire) && (limit === null || isNat(limit)) && onExpire <= amount) continue
    checkNat(`cells[${index}].amount`, cell.amount)
    checkNat(`cells[${index}].onExpire`, cell.onExpire)
    if (cell.limit !== null) checkNat(`cells[${index}].limit`, cell.limit)
    if (cell.onExpire > cell.amount) {
      throw new InvalidArgumentError(`cells[${index}].onExpire`, `at most the amount, ${cell.amount}`, cell.onExpire)
    }
  }
  if (request.draft !== undefined) checkDraft("draft", request.draft)
}

export function checkSettle(request: SettleRequest, maxCells: number): void {
  checkRoot(request.root)
  checkName("id", request.id, 64)
  checkText("fingerprint", request.fingerprint)
  checkNat("revision", request.revision)
  if (request.outcome !== "commit" && request.outcome !== "release") {
    throw new InvalidArgumentError("outcome", '"commit" or "release"', request.outcome)
  }
  if (request.expiresAt !== null) checkInteger("expiresAt", request.expiresAt)
  checkRefs(request.cells, maxCells)
  for (const [index, cell] of request.cells.entries()) {
    if (isNat(cell.reserved) && isNat(cell.amount)) continue
    checkNat(`cells[${index}].reserved`, cell.reserved)
    checkNat(`cells[${index}].amount`, cell.amount)
  }
  if (request.entry !== undefined) checkEntry("entry", request.entry)
}

export function checkAdjust(request: AdjustRequest): void {
  checkRoot(request.root)
  checkName("id", request.id, 64)
  checkRef("cell", request.cell)
  checkInteger("delta", request.delta)
  if (request.kind !== "spent" && request.kind !== "granted" && request.kind !== "reset") {
    throw new InvalidArgumentError("kind", '"spent", "granted" or "reset"', request.kind)
  }
}

function checkDraft(argument: string, draft: UsageDraft): void {
  checkText(`${argument}.requestId`, draft.requestId)
  checkNat(`${argument}.attempt`, draft.attempt, 1)
  checkText(`${argument}.model`, draft.model)
  checkNat(`${argument}.reservedNanoUsd`, draft.reservedNanoUsd)
  for (const field of ["clientId", "userId", "provider", "mode", "fingerprint"] as const) {
    const value = draft[field]
    if (value !== undefined && typeof value !== "string") checkText(`${argument}.${field}`, value)
  }
  if (draft.expireCostNanoUsd !== undefined) checkNat(`${argument}.expireCostNanoUsd`, draft.expireCostNanoUsd)
  if (draft.tags === undefined) return
  for (const value of Object.values(draft.tags)) checkText(`${argument}.tags`, value)
}

export function checkEntry(argument: string, entry: UsageEntry): void {
  checkDraft(argument, entry)
  if (!STATUSES.has(entry.status)) {
    throw new InvalidArgumentError(`${argument}.status`, `one of ${[...STATUSES].join(", ")}`, entry.status)
  }
  checkNat(`${argument}.costNanoUsd`, entry.costNanoUsd)
  if (entry.tableCostNanoUsd !== undefined) checkNat(`${argument}.tableCostNanoUsd`, entry.tableCostNanoUsd)
  for (const kind of Object.keys(entry.tokens)) {
    if (!isNat(entry.tokens[kind])) checkNat(`${argument}.tokens.${kind}`, entry.tokens[kind])
  }
  for (const field of ["prompt", "answer"] as const) {
    const text = entry[field]
    if (text !== undefined && Buffer.byteLength(text) > MAX_TEXT_BYTES) {
      // The text itself must not stand in a message.
      const bytes = Buffer.byteLength(text)
      throw new InvalidArgumentError(`${argument}.${field}`, `at most ${MAX_TEXT_BYTES} bytes of UTF-8`, bytes)
    }
  }
}
