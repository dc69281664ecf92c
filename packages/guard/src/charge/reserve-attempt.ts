import type {
  Budget,
  BudgetExceededError,
  BudgetStore,
  Reservation,
  ReserveOptions,
  ReserveWait,
  SettleResult,
  UsageEntry,
} from "@p2/budget"
import type { Charge } from "./charge"
import { CircuitOpenError } from "./circuit/circuit-open-error"
import { type CircuitPass, Circuits } from "./circuit/circuits"

/** A call to reserve: the options of `budget.reserve`, and the provider and model for the circuit breaker. */
export interface AttemptReserveOptions extends ReserveOptions {
  budget: Budget
  /** As in the usage entry. */
  provider: string
  model: string
}

/**
 * The outcome of {@link reserveAttempt}. Only `reserved` leaves a reservation. `wait` is absent if it did not wait.
 */
export type AttemptReserveResult = { wait?: ReserveWait | undefined } & (
  | { status: "reserved"; attempt: ReservedAttempt }
  /** The budget denied it. */
  | { status: "denied"; error: BudgetExceededError }
  /** The circuit breaker rejected it. */
  | { status: "rejected"; error: CircuitOpenError }
)

/** An attempt with a reservation, to send and then to settle with {@link settleAttempt}. */
export interface ReservedAttempt {
  readonly reservation: Reservation
  /** Absent for a reservation that was resumed: another process may have sent its call. */
  readonly circuit?: { readonly circuits: Circuits; readonly pass: CircuitPass } | undefined
}

const circuitsOfStores = new WeakMap<BudgetStore, Circuits>()

/** The circuit breaker that all budgets on the same store object share. */
function circuitsOf({ store }: Budget): Circuits {
  const circuits = circuitsOfStores.get(store) ?? new Circuits(store)
  circuitsOfStores.set(store, circuits)
  return circuits
}

/**
 * Reserves an attempt in the budget, and in the circuit breaker unless the provider is proven to answer. A rejected attempt
 * leaves a released entry in the ledger, with the error code `circuit-open`.
 *
 * @throws StoreError if the store fails: nothing may be sent. AbortedError if a signal fires.
 */
export async function reserveAttempt(
  request: AttemptReserveOptions,
  circuits: Circuits = circuitsOf(request.budget),
): Promise<AttemptReserveResult> {
  const { budget, provider, model, ...options } = request
  const { subject = {}, signal = options.wait?.signal } = options
  const repeated = circuits.rejectionOf(request)
  if (repeated !== undefined) return { status: "rejected", error: repeated }
  const result = await budget.reserve(options)
  const { wait } = result
  if (!result.ok) return { status: "denied", error: result.error, wait }
  const { reservation } = result
  try {
    const pass = await circuits.enter({ provider, model, subject, reservation, signal })
    if (!CircuitOpenError.isInstance(pass))
      return { status: "reserved", attempt: { reservation, circuit: { circuits, pass } }, wait }
    circuits.repeatRejection(request, pass)
    if (isOwn(reservation, request)) await reservation.release({ errorCode: pass.code })
    return { status: "rejected", error: pass, wait }
  } catch (error) {
    if (isOwn(reservation, request)) await reservation.release()
    throw error
  }
}

/** Whether no other call has the reservation: one that existed under a caller's key may be that of a call in flight. */
function isOwn({ replayed }: Reservation, { idempotencyKey, releaseUnanswered }: AttemptReserveOptions): boolean {
  return !replayed || (releaseUnanswered ?? idempotencyKey === undefined)
}

/**
 * Settles or releases an attempt with its charge, and counts what is in doubt in the circuit breaker. `entry` is any part of
 * the usage entry; the cost, its source and `inDoubt` come from the charge.
 *
 * @throws SettleMismatchError if it was settled with other amounts before.
 */
export async function settleAttempt(
  { reservation, circuit }: ReservedAttempt,
  charge: Charge,
  entry: Partial<UsageEntry> = {},
): Promise<SettleResult> {
  const counting = circuit?.circuits.leave(circuit.pass, charge)
  try {
    if (charge.status === "released") return await reservation.release(entry)
    const { costNanoUsd: nanoUsd, tokens, costSource, tableCostNanoUsd, inDoubt } = charge
    // Assigned, because Node 20 is slow at adding fields to a spread object (bench/overhead.mjs).
    const charged = Object.assign({}, entry, { costSource, tableCostNanoUsd }, inDoubt && { inDoubt })
    return await reservation.settle({ nanoUsd, tokens }, charged)
  } finally {
    await counting
  }
}
