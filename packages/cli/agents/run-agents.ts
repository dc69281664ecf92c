import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { formatUsd } from "@p2/core"
import { renderTable } from "../src/output/table"
import { AGENTS, type Agent } from "./agents"
import { recordingOf } from "./recording"
import { type AgentPlaces, type AgentRun, runAgent } from "./run-agent"
import { SCENARIOS, type Scenario } from "./scenarios"

/** The versions of the programs, for npm. */
export const PACKAGES = Object.fromEntries(AGENTS.map(({ npm, version }) => [npm, version]))

const COLUMNS = [
  ...[{ title: "program" }, { title: "options" }, { title: "result" }],
  ...(["requests", "sent", "denied", "spent", "billed", "seconds"] as const).map((title) => ({
    title,
    align: "right" as const,
  })),
]

/** Runs the programs one after another, and prints a table. @returns the exit code */
export async function runAgents(words: string[], places: AgentPlaces): Promise<number> {
  const { values } = parseArgs({
    args: words,
    options: { only: { type: "string" }, show: { type: "boolean" }, bodies: { type: "string" } },
  })
  const commands = values.only?.split(",")
  const rows: string[][] = []
  let wrong = 0
  for (const agent of AGENTS.filter(({ command }) => commands?.includes(command) ?? true))
    for (const scenario of SCENARIOS) {
      const added = { options: scenario.options(agent), arguments: scenario.arguments(agent) }
      const run = await runAgent(agent, added, places)
      const problem = scenario.check(run)
      if (problem !== undefined) wrong++
      rows.push(rowOf(agent, scenario, run, problem ?? "ok"))
      if (values.show || problem !== undefined) show(agent, scenario, run)
      if (values.bodies !== undefined) writeBodies(values.bodies, agent, scenario, run)
    }
  console.log(renderTable(COLUMNS, rows))
  return wrong === 0 ? 0 : 1
}

function rowOf(agent: Agent, scenario: Scenario, run: AgentRun, result: string): string[] {
  const { calls = 0, denied = 0, rejected = [], costNanoUsd = 0 } = run.receipt ?? {}
  const requests = calls + denied + rejected.reduce((sum, each) => sum + each.calls, 0)
  return [
    ...[agent.title, scenario.title, result],
    ...[requests, run.sentCalls, denied].map(String),
    ...[costNanoUsd, run.ledgerNanoUsd].map(formatUsd),
    run.seconds.toFixed(0),
  ]
}

function show(agent: Agent, scenario: Scenario, { output, code, otherHosts, receipt }: AgentRun): void {
  console.log(`--- ${agent.title} ${scenario.title}, exit code ${code}\n${output.trim()}`)
  for (const { message, calls } of receipt?.rejected ?? []) console.log(`rejected: ${calls} × ${message}`)
  console.log(`other hosts: ${otherHosts.join(" ") || "none"}\n`)
}

function writeBodies(folder: string, agent: Agent, scenario: Scenario, { requests }: AgentRun): void {
  mkdirSync(folder, { recursive: true })
  for (const [index, request] of requests.entries()) {
    const name = `${agent.title} ${scenario.title} ${index}`.replace(/[^\w.]+/g, "-")
    writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(recordingOf(agent, request), null, 2)}\n`)
  }
}
