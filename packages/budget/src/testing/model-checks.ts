import { InvalidArgumentError } from "@p2/core"
import type { UsageDraft, UsageEntry } from "../ledger"
import type { AdjustRequest, CellRef, Name, ReserveRequest, SettleRequest } from "../store"

const NAME = /^[A-Za-z0-9_.:|=-]+$/

function checkName(argument: string, value: unknown, maxBytes: number): void {
  // The alphabet is ASCII, so that characters are bytes.
  if (typeof value !== "string" || value.length > maxBytes || !NAME.test(value)) {
    throw new InvalidArgumentError(argument, `1 to ${maxBytes} characters of A-Z a-z 0-9 _ . : | = -`, value)
  }
}

function checkNat(argument: string, value: unknown): void {
  if (!Number.isSafeInteger(value) || (value as number) < 0) {
    throw new InvalidArgumentError(argument, "a safe integer of at least 0", value)
  }
}

function checkPositive(argument: string, value: unknown): void {
  if (!Number.isSafeInteger(value) || (value as number) < 1) {
    throw new InvalidArgumentError(argument, "a safe integer of at least 1", value)
  }
}

function checkCell(argument: string, cell: CellRef): void {
  checkName(`${argument}.key`, cell.key, 200)
  if (cell.startsAt !== null) checkNat(`${argument}.startsAt`, cell.startsAt)
  if (cell.endsAt !== null) checkNat(`${argument}.endsAt`, cell.endsAt)
  if (cell.keepMs !== null) checkPositive(`${argument}.keepMs`, cell.keepMs)
}

function checkCells(cells: readonly CellRef[], maxCells: number): void {
  if (cells.length > maxCells) throw new InvalidArgumentError("cells", `at most ${maxCells} cells`, cells)
  for (const [index, cell] of cells.entries()) checkCell(`cells[${index}]`, cell)
  if (new Set(cells.map((cell) => cell.key)).size < cells.length) {
    throw new InvalidArgumentError("cells", "cells with different keys", cells)
  }
}

export function checkRoot(root: Name): void {
  checkName("root", root, 64)
}

export function checkRootAndId(request: { root: Name; id: Name }): void {
  checkRoot(request.root)
  checkName("id", request.id, 64)
}

const STATUSES: readonly unknown[] = ["succeeded", "failed", "refused", "expired", "released"]
const MOST_CONTENT_BYTES = 65_536

function checkDraft(draft: UsageDraft): void {
  if (typeof draft.requestId !== "string") throw new InvalidArgumentError("requestId", "a string", draft.requestId)
  if (typeof draft.model !== "string") throw new InvalidArgumentError("model", "a string", draft.model)
  checkPositive("attempt", draft.attempt)
  checkNat("reservedNanoUsd", draft.reservedNanoUsd)
  if (draft.expireCostNanoUsd !== undefined) checkNat("expireCostNanoUsd", draft.expireCostNanoUsd)
}

export function checkEntry(entry: UsageEntry): void {
  checkDraft(entry)
  if (!STATUSES.includes(entry.status)) throw new InvalidArgumentError("status", STATUSES.join(), entry.status)
  for (const count of [entry.costNanoUsd, ...Object.values(entry.tokens)]) checkNat("a count", count)
  for (const text of [entry.prompt ?? "", entry.answer ?? ""]) {
    if (new TextEncoder().encode(text).byteLength > MOST_CONTENT_BYTES)
      throw new InvalidArgumentError("content", `at most ${MOST_CONTENT_BYTES} bytes`, text.length)
  }
}

export function checkReserve(request: ReserveRequest, maxCells: number): void {
  checkRootAndId(request)
  checkCells(request.cells, maxCells)
  checkPositive("leaseMs", request.leaseMs)
  for (const [index, cell] of request.cells.entries()) {
    checkNat(`cells[${index}].amount`, cell.amount)
    checkNat(`cells[${index}].onExpire`, cell.onExpire)
    if (cell.limit !== null) checkNat(`cells[${index}].limit`, cell.limit)
    if (cell.onExpire > cell.amount) {
      throw new InvalidArgumentError(`cells[${index}].onExpire`, `at most the amount ${cell.amount}`, cell.onExpire)
    }
  }
  if (request.draft !== undefined) checkDraft(request.draft)
}

export function checkSettle(request: SettleRequest, maxCells: number): void {
  checkRootAndId(request)
  checkCells(request.cells, maxCells)
  checkNat("revision", request.revision)
  if (request.expiresAt !== null) checkNat("expiresAt", request.expiresAt)
  if (request.outcome !== "commit" && request.outcome !== "release") {
    throw new InvalidArgumentError("outcome", '"commit" or "release"', request.outcome)
  }
  for (const [index, cell] of request.cells.entries()) {
    checkNat(`cells[${index}].reserved`, cell.reserved)
    checkNat(`cells[${index}].amount`, cell.amount)
  }
  if (request.entry !== undefined) checkEntry(request.entry)
}

export function checkExtend(request: { root: Name; id: Name; leaseMs: number }): void {
  checkRootAndId(request)
  checkPositive("leaseMs", request.leaseMs)
}

export function checkRead(request: { root: Name; keys: Name[] }): void {
  checkRoot(request.root)
  for (const [index, key] of request.keys.entries()) checkName(`keys[${index}]`, key, 200)
}

export function checkAdjust(request: AdjustRequest): void {
  checkRootAndId(request)
  checkCell("cell", request.cell)
  if (!["spent", "granted", "reset"].includes(request.kind)) {
    throw new InvalidArgumentError("kind", '"spent", "granted" or "reset"', request.kind)
  }
  if (!Number.isSafeInteger(request.delta)) throw new InvalidArgumentError("delta", "a safe integer", request.delta)
}

export function checkSweep(request: { root: Name; max: number }): void {
  checkRoot(request.root)
  checkPositive("max", request.max)
}
