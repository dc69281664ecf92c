import { checkNames, InvalidArgumentError } from "@p2/core"
import { SUITE_NEEDS, type SuiteOptions, type SuiteTarget } from "./target"

const OPTION_NAMES = ["name", "limits", "fuzzRuns", "seed", "timeoutMs", "onReport", "only"] as const
const STORE_MEMBERS = ["reserve", "settle", "extend", "read", "adjust", "sweep"] as const

/**
 * A misspelt limit would be no limit, and a misspelt option no option.
 *
 * @throws InvalidArgumentError naming the nearest known name
 */
export function checkOptions(options: SuiteOptions): void {
  checkNames(options, new Set(OPTION_NAMES), "")
  checkNames(options.limits ?? {}, new Set(SUITE_NEEDS), "limits")
  for (const [need, reason] of Object.entries(options.limits ?? {})) {
    if (reason !== undefined && (typeof reason !== "string" || reason === "")) {
      throw new InvalidArgumentError(`limits.${need}`, "the reason in words, which the report prints", reason)
    }
  }
}

/**
 * What the factory returned, before any case trusts it.
 *
 * @throws InvalidArgumentError saying what of the target is missing, and how to mend it
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
  checkStore(store)
}

function checkStore(store: Record<string, unknown>): void {
  if (typeof store.name !== "string") {
    throw new InvalidArgumentError("store.name", "a string that says which store it is", store.name)
  }
  if (!isObject(store.capabilities)) {
    const expected = "an object { shared, clock, retentionMs, maxCells }, what the suite tests the store for"
    throw new InvalidArgumentError("store.capabilities", expected, store.capabilities)
  }
  for (const member of STORE_MEMBERS) {
    if (typeof store[member] === "function") continue
    throw new InvalidArgumentError(`store.${member}`, "a function: every store has this member", store[member])
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null
}
