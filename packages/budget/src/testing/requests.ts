import type {
  AdjustRequest,
  AdjustResult,
  BudgetStore,
  CellState,
  ReserveCell,
  ReserveRequest,
  ReserveResult,
  SettleCell,
  SettleRequest,
  SettleResult,
} from "../store"
import { canonical, equal, fail } from "./expect"
import type { CaseBench } from "./store-case"

/** Long enough that no lease ends by itself in a case on real time. */
export const LEASE_MS = 60_000

/** An endless cell unless told otherwise; charged in full if its owner vanishes. */
export function cell(
  key: string,
  amount: number,
  limit: number | null = null,
  more: Partial<ReserveCell> = {},
): ReserveCell {
  return { key, startsAt: null, endsAt: null, keepMs: null, amount, limit, onExpire: amount, ...more }
}

/** The fingerprint that core would make: of what was asked, not of windows and limits. */
export function fingerprintOf(cells: readonly ReserveCell[]): string {
  return canonical(cells.map(({ key, amount, onExpire }) => [key, amount, onExpire]))
}

export function reserveRequest(
  root: string,
  id: string,
  cells: ReserveCell[],
  more: Partial<ReserveRequest> = {},
): ReserveRequest {
  return { root, id, fingerprint: fingerprintOf(cells), cells, leaseMs: LEASE_MS, ...more }
}

/** The settle of a reservation: `amounts` by cell, in order; all zero when releasing. */
export function settleRequest(
  reserved: ReserveRequest,
  amounts: readonly number[],
  more: Partial<SettleRequest> = {},
): SettleRequest {
  const cells: SettleCell[] = reserved.cells.map(({ key, startsAt, endsAt, keepMs, amount }, index) => ({
    key,
    startsAt,
    endsAt,
    keepMs,
    reserved: amount,
    amount: amounts[index] ?? 0,
  }))
  const { root, id, fingerprint } = reserved
  return { root, id, fingerprint, outcome: "commit", revision: 0, cells, expiresAt: null, ...more }
}

/** A reservation that was admitted, with what is needed to end it. */
export interface HeldReservation {
  request: ReserveRequest
  expiresAt: number
  commit(amounts: readonly number[], more?: Partial<SettleRequest>): Promise<SettleResult>
  release(more?: Partial<SettleRequest>): Promise<SettleResult>
}

export async function hold(
  bench: Pick<CaseBench, "store" | "root">,
  id: string,
  cells: ReserveCell[],
  more: Partial<ReserveRequest> = {},
): Promise<HeldReservation> {
  const request = reserveRequest(bench.root, id, cells, more)
  const answer = await bench.store.reserve(request)
  if (answer.result !== "ok") fail(`reserve of ${id}: expected ok, got ${canonical(answer)}`)
  return heldReservation(bench.store, request, answer)
}

export function heldReservation(
  store: BudgetStore,
  request: ReserveRequest,
  answer: Extract<ReserveResult, { result: "ok" }>,
): HeldReservation {
  const { expiresAt } = answer
  return {
    request,
    expiresAt,
    commit: (amounts, more) => store.settle(settleRequest(request, amounts, { expiresAt, ...more })),
    release: (more) => store.settle(settleRequest(request, [], { expiresAt, outcome: "release", ...more })),
  }
}

export async function cellState(
  bench: Pick<CaseBench, "store" | "root">,
  key: string,
  root = bench.root,
): Promise<CellState> {
  const { cells } = await bench.store.read({ root, keys: [key] })
  if (cells.length !== 1) fail(`read of one key: expected one cell, got ${cells.length}`)
  return cells[0]!
}

/** The cell must read exactly so. */
export async function expectCell(
  bench: Pick<CaseBench, "store" | "root">,
  key: string,
  expected: { spent?: number; reserved?: number; granted?: number },
  what = `cell ${key}`,
): Promise<void> {
  const state = await cellState(bench, key)
  equal(state, { key, spent: 0, reserved: 0, granted: 0, ...expected }, what)
}

export function adjustRequest(
  root: string,
  id: string,
  key: string,
  kind: AdjustRequest["kind"],
  delta: number,
): AdjustRequest {
  return { root, id, cell: { key, startsAt: null, endsAt: null, keepMs: null }, kind, delta }
}

export async function adjusted(
  bench: Pick<CaseBench, "store" | "root">,
  id: string,
  key: string,
  kind: AdjustRequest["kind"],
  delta: number,
): Promise<Extract<AdjustResult, { result: "ok" }>> {
  const answer = await bench.store.adjust(adjustRequest(bench.root, id, key, kind, delta))
  if (answer.result !== "ok") fail(`adjust ${id}: expected ok, got ${canonical(answer)}`)
  return answer
}
