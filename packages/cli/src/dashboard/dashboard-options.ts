import type { Budget, Subject } from "@p2/budget"
import { checkOptions, InvalidArgumentError } from "@p2/core"
import type { DashboardOptions } from "./dashboard"

/** Validated options, with defaults. */
export interface DashboardSettings {
  budget: Budget
  origin: () => string
  basePath: string
  title: string
  subjects: () => readonly Subject[] | Promise<readonly Subject[]>
  onlySubjects: boolean
  partition: Subject | undefined
  onWarning: (message: string, cause?: unknown) => void
}

const OPTIONS: ReadonlySet<string> = new Set([
  "budget",
  "origin",
  "basePath",
  "title",
  "subjects",
  "onlySubjects",
  "partition",
  "onWarning",
] satisfies (keyof DashboardOptions)[])

const ADVICE = { url: "Did you mean `origin`?", path: "Did you mean `basePath`?", store: "Did you mean `budget`?" }

/** @throws InvalidArgumentError */
export function readDashboardOptions(options: DashboardOptions): DashboardSettings {
  checkOptions(options, OPTIONS, "options", ADVICE)
  const { budget, origin, basePath = "/dashboard", title = "", partition } = options
  const { subjects = () => [], onlySubjects = false, onWarning = () => {} } = options
  if (typeof budget?.status !== "function")
    throw new InvalidArgumentError("budget", "a budget from `createBudget`", typeof budget)
  if (!/^(\/[\w.~-]+)+$/.test(basePath))
    throw new InvalidArgumentError("basePath", 'a path such as "/dashboard", without a slash at its end', basePath)
  if (typeof title !== "string") throw new InvalidArgumentError("title", "a string", title)
  if (typeof onlySubjects !== "boolean") throw new InvalidArgumentError("onlySubjects", "a boolean", onlySubjects)
  for (const [name, value] of Object.entries({ subjects, onWarning }))
    if (typeof value !== "function") throw new InvalidArgumentError(name, "a function", value)
  if (typeof origin !== "function") checkOrigin(origin)
  const readOrigin = typeof origin === "function" ? () => checkOrigin(origin()) : () => origin
  return { budget, origin: readOrigin, basePath, title, subjects, onlySubjects, partition, onWarning }
}

function checkOrigin(origin: string): string {
  const isOrigin = typeof origin === "string" && /^https?:/.test(origin) && URL.canParse(origin)
  if (isOrigin && new URL(origin).origin === origin) return origin
  throw new InvalidArgumentError("origin", 'an origin such as "http://127.0.0.1:4000"', origin)
}
