import type { Agent } from "./agents"
import type { AgentRun } from "./run-agent"

/** Options of `p2 run`, and their expected outcome. */
export interface Scenario {
  title: string
  options(agent: Agent): readonly string[]
  /** Arguments that the program gets in addition to the task. */
  arguments(agent: Agent): readonly string[]
  /** Describes what is wrong. */
  check(run: AgentRun): string | undefined
}

export const SCENARIOS: readonly Scenario[] = [
  { title: "--budget 10", options: () => ["--budget", "10"], arguments: () => [], check: checkFinished },
  { title: "--budget 0.01", options: () => ["--budget", "0.01"], arguments: () => [], check: checkDenied },
  {
    title: "--budget 0.50 --clamp",
    options: ({ small }) => ["--budget", "0.50", "--clamp", ...(small?.options ?? [])],
    arguments: ({ small }) => small?.arguments ?? [],
    check: checkFinished,
  },
]

function checkFinished({ wroteFile, code, receipt, ledgerNanoUsd }: AgentRun): string | undefined {
  if (receipt === undefined) return "no receipt"
  if (!wroteFile) return "the file is missing"
  if (code !== 0) return `exit code ${code}`
  if (receipt.costNanoUsd !== ledgerNanoUsd) return `${receipt.costNanoUsd} was spent, ${ledgerNanoUsd} billed`
  if (receipt.inDoubt.calls > 0) return "a call is in doubt"
  if (receipt.limit?.reservedNanoUsd !== 0) return "an amount is still reserved"
  return undefined
}

function checkDenied({ receipt, sentCalls, output }: AgentRun): string | undefined {
  if (receipt === undefined) return "no receipt"
  if (sentCalls > 0) return `${sentCalls} calls reached the provider`
  if (receipt.denied === 0) return "nothing was denied"
  if (!output.includes("Budget exceeded")) return "the program does not show why"
  return undefined
}
