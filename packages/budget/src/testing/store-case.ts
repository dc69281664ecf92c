import type { CaseContext } from "./case-context"
import type { SuiteLevel, SuiteNeed } from "./report"

/** The headings of `docs/custom-store.md` to which failures point. */
export const SUITE_RULES = [
  "Storage",
  "transaction",
  "entries, keys, prune",
  "Errors",
  "Rules",
  "Windows and limits",
  "States",
  "Adjustments",
  "Time",
  "What is kept",
  "Ledger",
  "Damage",
] as const

export type SuiteRule = (typeof SUITE_RULES)[number]

/** One case of the suite, as data. */
export interface StoreCase {
  level: SuiteLevel
  /** A sentence, unique in the suite. */
  title: string
  needs: readonly SuiteNeed[]
  rule: SuiteRule
  run(context: CaseContext): Promise<void>
}

type Body = (context: CaseContext) => Promise<void>

type CaseOptions = { needs?: readonly SuiteNeed[]; rule?: SuiteRule }

/** Adds a case: its title, its options if any, its body. */
export interface TestFunction {
  (title: string, body: Body): void
  (title: string, options: CaseOptions, body: Body): void
}

/** The cases of one file: of one level, and of one rule unless a case names another. */
export function defineCases(
  about: { level: SuiteLevel; rule: SuiteRule; needs?: readonly SuiteNeed[] },
  define: (test: TestFunction) => void,
): StoreCase[] {
  const cases: StoreCase[] = []
  const test = (title: string, ...rest: [Body] | [CaseOptions, Body]): void => {
    const [options, run] = rest.length === 1 ? [{}, rest[0]] : rest
    const needs = [...new Set([...(about.needs ?? []), ...(options.needs ?? [])])]
    cases.push({ level: about.level, title, needs, rule: options.rule ?? about.rule, run })
  }
  define(test as TestFunction)
  return cases
}
