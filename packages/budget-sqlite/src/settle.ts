import type { CellRef, SettleRequest, SettleResult } from "@p2/budget"
import type { Batch, ChargedCell, IdRecord } from "./batch"

/** Replaces what is reserved, or what was charged, by the truth. Never refuses for lack of room. */
export function settle(batch: Batch, request: SettleRequest): SettleResult {
  const record = batch.record(request.root, request.id)
  for (const cell of request.cells) batch.load(request.root, cell.key)
  for (const [key] of record?.cells ?? []) batch.load(request.root, key)
  if (record !== undefined && record.fingerprint !== request.fingerprint) return nothing(batch, request, "mismatch")
  return request.outcome === "commit" ? commit(batch, request, record) : release(batch, request, record)
}

function commit(batch: Batch, request: SettleRequest, record: IdRecord | undefined): SettleResult {
  if (record === undefined) {
    const lost = request.expiresAt === null || batch.now < request.expiresAt + batch.retentionMs
    if (!lost) return nothing(batch, request, "forgotten")
    return resolve(batch, request, undefined, { late: false, recovered: true })
  }
  if (record.state === "released") return nothing(batch, request, "mismatch")
  if (record.state !== "committed") {
    return resolve(batch, request, record, { late: record.state === "expired", recovered: false })
  }
  if (request.revision > record.revision) {
    return resolve(batch, request, record, { late: false, recovered: false })
  }
  // By their place: a retry after midnight may name the cells of the next window.
  const same =
    record.cells.length === request.cells.length &&
    request.cells.every(({ amount }, index) => amount === record.cells[index]![1])
  if (request.revision === record.revision && !same) return nothing(batch, request, "mismatch")
  return replayed(batch, request, "committed")
}

function release(batch: Batch, request: SettleRequest, record: IdRecord | undefined): SettleResult {
  if (record?.state === "committed") return nothing(batch, request, "mismatch")
  if (record?.state === "released") return replayed(batch, request, "released")
  return resolve(batch, request, record, { late: record?.state === "expired", recovered: false })
}

function resolve(
  batch: Batch,
  request: SettleRequest,
  record: IdRecord | undefined,
  how: { late: boolean; recovered: boolean },
): SettleResult {
  const { root, id } = request
  const state = request.outcome === "commit" ? "committed" : "released"
  const amounts = request.cells.map(({ amount }) => (state === "released" ? 0 : amount))
  const moves = record === undefined ? undefined : movesOf(record, request.cells)
  const cells = (moves ?? request.cells.map((ref) => ({ ref, reserved: 0, charged: 0 }))).map(
    ({ ref, reserved, charged }, index) =>
      batch.change(root, ref, { spent: (amounts[index] ?? 0) - charged, reserved: -reserved }),
  )
  const charges = cells.map(({ key }, index): ChargedCell => [key, amounts[index] ?? 0])

  const leaseEnd = record?.leaseEnd ?? request.expiresAt ?? batch.now
  const { fingerprint, revision } = request
  const resolved = { state, fingerprint, leaseEnd, revision, cells: charges } as const
  // Not before `expiresAt` tells a lost id from a forgotten one, or the same money could be charged twice.
  const forgetAt = Math.max(leaseEnd, batch.now) + batch.retentionMs
  batch.resolve(root, id, record !== undefined, resolved, forgetAt)
  writeEntry(batch, request, record, Object.fromEntries(charges))
  return { now: batch.now, cells, result: state, replayed: false, ...how }
}

/** Where a settlement replaces what was set aside or charged. */
interface Move {
  ref: Pick<CellRef, "key"> & Partial<CellRef>
  reserved: number
  charged: number
}

/** The id's own cells, by their place: a retry after midnight may name the cells of the next window. */
function movesOf(record: IdRecord, given: SettleRequest["cells"]): Move[] {
  if (record.state === "held")
    return record.cells.map(([key, reserved, , endsAt, keepMs]) => {
      return { ref: { key, endsAt, keepMs }, reserved, charged: 0 }
    })
  return record.cells.map(([key, charged], index) => {
    const named = given[index]
    return { ref: named?.key === key ? named : { key }, reserved: 0, charged }
  })
}

function writeEntry(
  batch: Batch,
  request: SettleRequest,
  record: IdRecord | undefined,
  charges: Record<string, number>,
): void {
  const { root, id, revision } = request
  if (request.entry !== undefined) {
    batch.entries.write(root, id, request.entry, { charges, revision })
    return
  }
  // Only what was resolved before can have an entry already.
  if (record === undefined || record.state === "held") return
  const known = batch.entries.find(root, id)
  if (known === undefined) return
  const entry =
    request.outcome === "commit"
      ? known
      : { ...known, status: "released" as const, costNanoUsd: 0, costSource: "none" as const }
  batch.entries.write(root, id, entry, { charges, revision })
}

function replayed(batch: Batch, request: SettleRequest, result: "committed" | "released"): SettleResult {
  return { now: batch.now, cells: same(batch, request), result, replayed: true, late: false, recovered: false }
}

function nothing(batch: Batch, request: SettleRequest, result: "mismatch" | "forgotten"): SettleResult {
  return { now: batch.now, cells: same(batch, request), result }
}

function same(batch: Batch, request: SettleRequest) {
  return request.cells.map((cell) => batch.unchanged(request.root, cell.key))
}
