import type { StoreCheck } from "@p2/budget"
import { P2Error, plural } from "@p2/core"
import { print } from "../../output/print"
import { shownAddress } from "../../store/store-address"
import { type StoreArguments, withLedger } from "./open-ledger"

const DURABILITY = {
  none: "nothing: the data is lost when its process ends",
  process: "the end of a process; a power cut may lose the last transactions",
  second: "a power cut, except about the last second",
  disk: "a power cut",
} as const

/** Smaller differences are rounding. */
const CLOCK_TOLERANCE_MS = 1_000

/** `p2 check` @throws P2Error if the store is misconfigured or damaged, or its clock is behind */
export async function checkStore(given: StoreArguments & { json?: true }): Promise<void> {
  const { address, result } = await withLedger(given, async ({ address: opened, budget }) => ({
    address: opened,
    result: await budget.check({}),
  }))
  const problems = problemsOf(result)
  print(describe(address, result), { address: shownAddress(address), ...result }, { asJson: given.json === true })
  if (problems.length > 0)
    throw new P2Error(`The store has problems: ${problems.join("; ")}.`, { code: "store-check", kind: "failed" })
}

function problemsOf({ ok, damaged = [], clockBehindMs = 0 }: StoreCheck): string[] {
  return [
    ...(ok ? [] : ["it is misconfigured"]),
    ...(damaged.length > 0 ? [`${plural(damaged.length, "damaged reservation")}`] : []),
    ...(clockBehindMs > CLOCK_TOLERANCE_MS ? ["its clock is behind"] : []),
  ]
}

function describe(address: string, { durability, warnings, damaged = [], clockBehindMs = 0 }: StoreCheck): string {
  return [
    `Store:      ${shownAddress(address)}`,
    `Survives:   ${DURABILITY[durability]}`,
    `Clock:      ${clockBehindMs > CLOCK_TOLERANCE_MS ? `${clockBehindMs} ms behind its latest time; windows do not advance until it has caught up` : "ok"}`,
    `Damage:     ${damaged.length === 0 ? "none" : `reservations ${damaged.join(", ")}; their amounts stay reserved`}`,
    ...warnings.map((warning) => `Warning:    ${warning}`),
  ].join("\n")
}
