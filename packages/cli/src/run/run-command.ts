import { closeSync, openSync, writeFileSync } from "node:fs"
import { P2Error } from "@p2/core"
import { printable } from "../output/table"
import { childEnvironment, type SetVariable } from "./child-environment"
import { type ChildEnd, endAs, runChild } from "./child-process"
import { findProgram, type ProgramSettings } from "./programs"
import { describeReceipt, type ReceiptData, receiptJson } from "./receipt"
import { openRunBudget, type RunBudget } from "./run-budget"
import type { RunOptions } from "./run-options"
import { startRunProxy } from "./run-proxy"
import { RunTotals } from "./run-totals"
import { type RunUpstream, readUpstreams } from "./run-upstreams"
import { startWatchLine } from "./watch-line"

/**
 * Maximum number of different warnings. They are printed at the end, because the program may own the terminal until
 * then.
 */
const MAX_WARNINGS = 20
/** How long calls of processes that outlive the command may continue. */
const PROXY_GRACE_MS = 2_000

/**
 * Runs a command under a cap: starts the proxy, runs the program with base URLs and a token in its environment, and settles every
 * call before it prints the receipt. Ends this process as the program ended.
 *
 * @throws InvalidArgumentError, StoreError before the program starts
 */
export async function runCommand(options: RunOptions, env: NodeJS.ProcessEnv): Promise<void> {
  const upstreams = readUpstreams(options.upstreams, env)
  const warnings = new Set<string>()
  const onWarning = (message: string) => {
    if (warnings.size < MAX_WARNINGS) warnings.add(message)
  }
  if (options.receiptFile !== undefined) checkReceiptFile(options.receiptFile)
  const startedAt = new Date()
  const totals = new RunTotals()
  const budget = await openRunBudget(options, onWarning)
  let outcome: { end: ChildEnd; pending: number } | undefined
  try {
    outcome = await runUnderProxy({ options, env, upstreams, totals, budget, onWarning })
  } finally {
    if (outcome === undefined) await budget.close()
  }
  const { end, pending } = outcome
  const limit = await budget.status().catch(() => undefined)
  await budget.close()
  report({ options, totals, limit, end, startedAt, endedAt: new Date(), pending }, options, warnings)
  endAs(end)
}

interface RunContext {
  options: RunOptions
  env: NodeJS.ProcessEnv
  upstreams: readonly RunUpstream[]
  totals: RunTotals
  budget: RunBudget
  onWarning: (message: string) => void
}

async function runUnderProxy(context: RunContext): Promise<{ end: ChildEnd; pending: number }> {
  const { options, env, upstreams, totals, budget } = context
  const proxy = await startRunProxy(context)
  const { server, token } = proxy
  try {
    const child = childEnvironment({ env, upstreams, url: server.url, token, passed: options.passed })
    const found = findProgram(options.command)
    const isAvailable = (name: string) => upstreams.some((each) => each.provider.name === name && each.isAvailable)
    const settings =
      found?.program.settings({ url: server.url, token, isAvailable, env: child.env, clamp: options.clamp }) ?? {}
    const programEnv = withSettings(child.env, settings, options.passed)
    if (!options.quiet) printSettings(options, child.baseURLs, child.copies, settings)
    if (proxy.dashboard !== undefined) process.stderr.write(`p2: dashboard: ${proxy.dashboard.createLink()}\n`)
    const [command, ...words] = options.command
    const index = found?.index ?? 0
    const stopWatching =
      options.watch && process.stderr.isTTY
        ? startWatchLine(process.stderr, { totals, status: budget.status })
        : () => {}
    const end = await runChild({
      command,
      arguments: [...words.slice(0, index), ...(settings.arguments ?? []), ...words.slice(index)],
      env: programEnv,
      graceMs: options.graceMs,
    }).finally(stopWatching)
    if (end.status === "not-started") process.stderr.write(`p2: ${printable(end.reason)}\n`)
    await proxy.close({ graceMs: PROXY_GRACE_MS })
    await budget.budget.flush()
    return { end, pending: budget.budget.pending }
  } finally {
    await proxy.close({ graceMs: 0 })
  }
}

function withSettings(
  env: NodeJS.ProcessEnv,
  settings: ProgramSettings,
  passed: ReadonlySet<string>,
): NodeJS.ProcessEnv {
  const changed = { ...env }
  for (const [name, value] of Object.entries(settings.env ?? {})) {
    if (passed.has(name)) continue
    if (value === undefined) delete changed[name]
    else changed[name] = value
  }
  return changed
}

/** Prints the variables that are set, once and without the token. */
function printSettings(
  { program }: RunOptions,
  baseURLs: readonly SetVariable[],
  copies: readonly string[],
  settings: ProgramSettings,
): void {
  const variables = baseURLs.map(({ name, value }) => `${name}=${value}`)
  const added = settings.arguments ?? []
  const also = Object.keys(settings.env ?? {}).filter((name) => settings.env?.[name] !== undefined)
  const lines = [
    variables.length === 0
      ? "no provider is available: set a key such as OPENAI_API_KEY before `p2 run`"
      : variables.join(" "),
    ...(also.length === 0 ? [] : [`also set: ${also.join(", ")}`]),
    ...(added.length === 0 ? [] : [`added arguments: ${added.join(" ")}`]),
    ...(settings.notes ?? []),
    ...(copies.length === 0 ? [] : [`removed, because they contain a key: ${copies.join(", ")}`]),
  ]
  for (const line of lines) process.stderr.write(`p2: ${printable(program)}: ${printable(line)}\n`)
}

function report(data: ReceiptData, { quiet, receiptFile }: RunOptions, warnings: ReadonlySet<string>): void {
  for (const warning of warnings) process.stderr.write(`p2: ${printable(warning)}\n`)
  if (!quiet) process.stderr.write(`${describeReceipt(data)}\n`)
  if (receiptFile !== undefined) writeReceipt(receiptFile, receiptJson(data))
}

/** Checks the path before the program spends anything. An existing receipt stays until the new one is written. */
function checkReceiptFile(file: string): void {
  try {
    closeSync(openSync(file, "a"))
  } catch (cause) {
    throw receiptFailure(file, cause)
  }
}

function writeReceipt(file: string, json: string): void {
  try {
    writeFileSync(file, json)
  } catch (cause) {
    throw receiptFailure(file, cause)
  }
}

function receiptFailure(file: string, cause: unknown): P2Error {
  const { code = "unknown error" } = cause as NodeJS.ErrnoException
  const message = `The receipt cannot be written to ${file} (${code}). Choose another --receipt.`
  return new P2Error(message, { code: "receipt-not-written", kind: "failed", cause })
}
