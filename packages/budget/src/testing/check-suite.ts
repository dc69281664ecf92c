import { checkOptions, InvalidArgumentError } from "@p2/core"
import { type LedgerShapes, ledgerShapes, type StoreShapes, storeShapes } from "../store/member-shapes"
import { SUITE_NEEDS, type SuiteNeed } from "./report"
import type { SuiteOptions, SuiteTarget } from "./target"

const OPTION_NAMES = new Set(["name", "limits", "fuzzRuns", "seed", "timeoutMs", "only", "onCase", "onReport"])
/** The members of every store, and of every ledger. */
export const STORE_MEMBERS = Object.keys(storeShapes(1)) as (keyof StoreShapes)[]
export const LEDGER_MEMBERS = Object.keys(ledgerShapes) as (keyof LedgerShapes)[]

/** @throws InvalidArgumentError for an unknown option or limit, or a limit without a reason */
export function checkSuiteOptions(options: SuiteOptions): void {
  checkOptions(options, OPTION_NAMES)
  checkOptions(options.limits ?? {}, new Set(SUITE_NEEDS), "limits")
  for (const [need, reason] of Object.entries(options.limits ?? {})) {
    if (reason !== undefined && (typeof reason !== "string" || reason === "")) {
      throw new InvalidArgumentError(`limits.${need}`, "the reason in words, which the report prints", reason)
    }
  }
}

/**
 * Checks what the factory returned before a case uses it.
 *
 * @throws InvalidArgumentError that names what is missing and what to return instead
 */
export function checkTarget(target: unknown): asserts target is SuiteTarget {
  const shape = "an object with the member `store`"
  if (!isObject(target)) throw new InvalidArgumentError("the factory's target", shape, target)
  const { store } = target
  if (store === undefined && typeof target.reserve === "function") {
    const remedy = `${shape}: return { store } instead of the store itself`
    throw new InvalidArgumentError("the factory's target", remedy, target)
  }
  if (isObject(store) && typeof store.then === "function") {
    throw new InvalidArgumentError("target.store", "a store: await the promise in the factory", store)
  }
  if (!isObject(store)) throw new InvalidArgumentError("target.store", "the store to test", store)
}

/** Whether the target offers what a case needs. */
export function offers(target: SuiteTarget, need: SuiteNeed): boolean {
  const { faults } = target
  const offered: Record<SuiteNeed, boolean> = {
    clock: target.clock !== undefined,
    size: target.size !== undefined,
    ledger: target.store.ledger !== undefined,
    ledgerRetention: target.ledgerRetentionMs !== undefined,
    processes: target.spawn !== undefined,
    down: faults?.down !== undefined && faults.up !== undefined,
    loseAnswer: faults?.loseAnswer !== undefined,
    damage: faults?.damage !== undefined,
    restart: faults?.restart !== undefined,
  }
  return offered[need]
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null
}
