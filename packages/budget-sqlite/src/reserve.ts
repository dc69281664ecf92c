import type {
  AdjustRequest,
  AdjustResult,
  CellRef,
  Expired,
  ExtendResult,
  ReserveCell,
  ReserveRequest,
  ReserveResult,
} from "@p2/budget"
import { type Batch, corruptRow } from "./batch"
import { expireDue, isDue } from "./expire"

const MAX = Number.MAX_SAFE_INTEGER
/** Most leases of others that one reserve ends. */
const EXPIRE_IN_RESERVE = 16

/** Sets every amount aside or none. Leases that ran out are ended first, so that nobody is refused because of them. */
export function reserve(batch: Batch, request: ReserveRequest): ReserveResult {
  const { root, id } = request
  // Whatever makes no sense is found here, before anything changes.
  let record = batch.record(root, id)
  for (const cell of request.cells) batch.load(root, cell.key)
  const { expired, backlog } = expireFirst(batch, root, id, record?.state === "held" && record.leaseEnd <= batch.now)
  if (expired.some((one) => one.id === id)) record = batch.record(root, id)

  const answer = { now: batch.now, expired, backlog }
  const cells = () => request.cells.map((cell) => batch.stateOf(root, cell.key))
  if (record !== undefined) {
    if (record.fingerprint !== request.fingerprint) return { ...answer, cells: cells(), result: "mismatch" }
    if (record.state !== "held") return { ...answer, cells: cells(), result: "resolved", state: record.state }
    return { ...answer, cells: cells(), result: "ok", replayed: true, expiresAt: record.leaseEnd }
  }
  const stale = indexesOf(request.cells, (cell) => !isOpen(cell, batch.now))
  if (stale.length > 0) return { ...answer, cells: cells(), result: "stale-window", which: stale }
  const exceeded = indexesOf(request.cells, (cell) => !fits(batch, root, cell))
  if (exceeded.length > 0) return { ...answer, cells: cells(), result: "exceeded", which: exceeded }

  const expiresAt = batch.now + request.leaseMs
  for (const cell of request.cells) batch.change(root, cell, { reserved: cell.amount })
  batch.hold(root, id, {
    state: "held",
    fingerprint: request.fingerprint,
    leaseEnd: expiresAt,
    revision: 0,
    cells: request.cells.map((cell) => [cell.key, cell.amount, cell.onExpire, cell.endsAt, cell.keepMs]),
    draft: request.draft === undefined ? null : JSON.stringify(request.draft),
  })
  return { ...answer, cells: cells(), result: "ok", replayed: false, expiresAt }
}

/** Ends what is due, the caller's own id always, even where others stand before it. */
function expireFirst(
  batch: Batch,
  root: string,
  id: string,
  ownIsDue: boolean,
): { expired: Expired[]; backlog: boolean } {
  const due = batch.due(root, EXPIRE_IN_RESERVE + 1)
  if (due.length === 0) return { expired: [], backlog: false }
  const chosen = due.slice(0, EXPIRE_IN_RESERVE)
  if (ownIsDue && !chosen.includes(id)) chosen.push(id)
  const expired = expireDue(batch, root, chosen)
  return { expired, backlog: batch.due(root, 1).length > 0 }
}

function indexesOf(cells: readonly ReserveCell[], test: (cell: ReserveCell) => boolean): number[] {
  return cells.flatMap((cell, index) => (test(cell) ? [index] : []))
}

function isOpen(cell: CellRef, now: number): boolean {
  return (cell.startsAt === null || cell.startsAt <= now) && (cell.endsAt === null || now < cell.endsAt)
}

function fits(batch: Batch, root: string, cell: ReserveCell): boolean {
  if (cell.amount === 0) return true
  const { spent, reserved, granted } = batch.stateOf(root, cell.key)
  // Numbers decide this exactly: each is a safe integer, and a sum of two that is not rounds to 2^53 or above, past every cap.
  const cap = cell.limit === null ? MAX : Math.min(MAX, cell.limit + granted)
  return cell.amount + (spent + reserved) <= cap
}

const EXTEND = "UPDATE p2_ids SET lease_end = ? WHERE root = ? AND id = ?"

/** Moves the end of a lease that has not passed; never backwards, and never revives. */
export function extend(batch: Batch, request: { root: string; id: string; leaseMs: number }): ExtendResult {
  const { now } = batch
  const record = batch.record(request.root, request.id)
  if (record === undefined) return { now, state: "unknown" }
  if (record.state !== "held") return { now, state: record.state }
  if (isDue(record, now)) return { now, state: "expired" }
  const expiresAt = Math.max(record.leaseEnd, now + request.leaseMs)
  if (expiresAt > record.leaseEnd) batch.connection.run(EXTEND, expiresAt, request.root, request.id)
  return { now, state: "held", expiresAt }
}

const SELECT_ADJUSTMENT = "SELECT content, applied, forget_at FROM p2_adjustments WHERE root = ? AND id = ?"
const INSERT_ADJUSTMENT =
  "INSERT OR REPLACE INTO p2_adjustments (root, id, content, applied, forget_at) VALUES (?, ?, ?, ?, ?)"

/** A correction, a top-up or a reset, once per id. */
export function adjust(batch: Batch, request: AdjustRequest): AdjustResult {
  const { root, id, cell: ref, kind, delta } = request
  const { now } = batch
  const before = batch.unchanged(root, ref.key)
  const content = JSON.stringify([ref.key, kind, delta])
  const known = batch.connection.get<{ content: string; applied: number; forget_at: number }>(
    SELECT_ADJUSTMENT,
    root,
    id,
  )
  if (known !== undefined && known.forget_at > now) {
    if (!Number.isSafeInteger(known.applied)) throw corruptRow(`adjustment ${id}`)
    if (known.content !== content) return { now, cell: before, result: "mismatch" }
    return { now, cell: before, result: "ok", replayed: true, applied: known.applied }
  }
  if (!isOpen(ref, now)) return { now, cell: before, result: "stale-window" }
  const by =
    kind === "reset"
      ? { spent: -before.spent, resetPeak: true }
      : kind === "spent"
        ? { spent: delta }
        : { granted: delta }
  const cell = batch.change(root, ref, by)
  const applied = kind === "granted" ? cell.granted - before.granted : cell.spent - before.spent
  batch.connection.run(INSERT_ADJUSTMENT, root, id, content, applied, now + batch.retentionMs)
  return { now, cell, result: "ok", replayed: false, applied }
}
