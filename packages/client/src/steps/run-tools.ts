import type { BudgetExceededError, Reservation } from "@p2/budget"
import { P2Error, toYaml } from "@p2/core"
import { waitWithin } from "../budget/reserve-in-budget"
import { UnexpectedError } from "../errors"
import type { AttemptSettings, GenerateCall, Remaining } from "../generate/generate-call"
import { requestBudgetExceeded } from "../generate/plan-attempt"
import type { ToolReceipt } from "../receipt"
import { DeadlineRace } from "../transport/deadline-race"
import type { CheckedCall, CompiledTool } from "./compiled-tools"
import type { ToolResultOf, ToolSet } from "./tool"

/**
 * How one call ended. `answered`: with a result, whose `content` the model sees. `ended`: it ended the request, because the store
 * failed, or a deadline or the caller ended it.
 */
export type ToolOutcome = { receipt: ToolReceipt } & (
  | { status: "answered"; result: ToolResultOf<ToolSet>; content: string }
  | { status: "ended"; error: P2Error }
)

/** What the calls of one step have in common. */
interface ToolRun {
  call: GenerateCall
  /** Of the attempt in which the model called the tools. */
  settings: AttemptSettings
  /** What remains of the total deadline. */
  remainingMs: number
}

/**
 * Runs the calls of one step concurrently, and returns their outcomes in order. Calls without `execute` are not among
 * them. Before any tool runs, each that costs something takes its maximum from what remains of `maxBudget`. Never
 * rejects.
 */
export async function runTools(
  call: GenerateCall,
  settings: AttemptSettings,
  calls: readonly CheckedCall[],
  remaining: Remaining,
): Promise<ToolOutcome[]> {
  const run = { call, settings, remainingMs: remaining.ms }
  let nanoUsd = remaining.nanoUsd ?? Number.POSITIVE_INFINITY
  return Promise.all(
    calls.map((checked, index) => {
      const cost = checked.status === "valid" ? (checked.tool.maxCostNanoUsd ?? 0) : 0
      const isCovered = cost <= nanoUsd
      const before = nanoUsd
      if (isCovered) nanoUsd -= cost
      return runTool(run, checked, index, isCovered ? undefined : before)
    }),
  )
}

/** `uncoveredBy`: what remains of `maxBudget`, if that is less than the cost. */
async function runTool(
  run: ToolRun,
  checked: CheckedCall,
  index: number,
  uncoveredBy: number | undefined,
): Promise<ToolOutcome> {
  const { call } = run
  const { attempt, step } = run.settings
  const { id: toolCallId, name } = checked
  const identity = { id: `${call.requestId}.${attempt}.${index + 1}`, toolCallId, name, step, attempt }
  if (checked.status === "invalid") {
    const { error, arguments: input } = checked
    const receipt = { ...identity, ...FREE, status: "invalid" as const, errorCode: error.code, durationMs: 0 }
    const result = { status: "invalid" as const, id: toolCallId, name, input, error }
    return { status: "answered", result, content: invalidContent(error), receipt }
  }
  const race = new DeadlineRace(call.signal)
  try {
    race.start("total", call.request.timeoutMs, { remainingMs: run.remainingMs })
    const reserved = await reserveTool(call, identity, checked.tool, uncoveredBy, race, run.remainingMs)
    if (reserved.status === "denied") {
      const { error } = reserved
      const result = { status: "denied" as const, id: toolCallId, name, input: checked.input, error }
      const receipt = { ...identity, ...FREE, status: "denied" as const, errorCode: error.code, durationMs: 0 }
      return { status: "answered", result: result as ToolResultOf<ToolSet>, content: DENIED, receipt }
    }
    if (reserved.status === "not-reserved") {
      const { error } = reserved
      const receipt = { ...identity, ...FREE, status: "released" as const, errorCode: error.code, durationMs: 0 }
      return { status: "ended", error, receipt }
    }
    return await execute(call, checked, identity, reserved, race)
  } finally {
    race.finish({ abortTransport: race.error !== undefined })
  }
}

const FREE = { costNanoUsd: 0, costSource: "none", inDoubt: false, reservedNanoUsd: 0, settlement: "none" } as const

const DENIED = "Error: This tool was not run, because the budget does not cover its cost."

async function execute(
  call: GenerateCall,
  checked: CheckedCall & { status: "valid" },
  identity: Pick<ToolReceipt, "id" | "toolCallId" | "name" | "step" | "attempt">,
  reserved: ReservedTool,
  race: DeadlineRace,
): Promise<ToolOutcome> {
  const { tool, input, id } = checked
  const start = performance.now()
  const context = { toolCallId: id, requestId: call.requestId, step: identity.step, signal: race.signal }
  const executed = await race.wait((async () => tool.execute!(input as never, context))()).then(
    (output) => ({ status: "succeeded" as const, output }),
    (error: unknown) => ({ status: "failed" as const, error }),
  )
  const durationMs = performance.now() - start
  const failure = executed.status === "succeeded" ? undefined : (race.error?.code ?? "tool-failed")
  const cost = await settleTool(reserved, tool, executed, input, { errorCode: failure, durationMs })
  const receipt = { ...identity, errorCode: failure, ...cost, status: executed.status, durationMs }
  if (race.error !== undefined) return { status: "ended", error: race.error, receipt }
  const result = { id, name: tool.name, input, ...executed }
  return {
    status: "answered",
    result: result as ToolResultOf<ToolSet>,
    content:
      executed.status === "succeeded"
        ? resultContent(executed.output, tool.maxResultLength)
        : errorContent(executed.error),
    receipt,
  }
}

/** A tool call that may run: its cost is reserved, or it is free. */
interface ReservedTool {
  status: "reserved"
  /** Undefined: the tool is free. */
  reservation: Reservation | undefined
}

/**
 * Reserves the maximum cost of a call in all scopes or in none. `denied`: `maxBudget` or a limit denied it. `not-reserved`: the
 * store failed, or the race ended before the store replied; a reservation that arrives later is released.
 * @param uncoveredBy what remains of `maxBudget`, if that is less than the cost
 */
async function reserveTool(
  call: GenerateCall,
  identity: Pick<ToolReceipt, "id" | "attempt">,
  tool: CompiledTool,
  uncoveredBy: number | undefined,
  race: DeadlineRace,
  remainingMs: number,
): Promise<
  ReservedTool | { status: "denied"; error: BudgetExceededError } | { status: "not-reserved"; error: P2Error }
> {
  if (race.error !== undefined) return { status: "not-reserved", error: race.error }
  const { maxCostNanoUsd: nanoUsd } = tool
  if (nanoUsd === undefined) return { status: "reserved", reservation: undefined }
  if (uncoveredBy !== undefined)
    return { status: "denied", error: requestBudgetExceeded(call.request, uncoveredBy, nanoUsd) }
  const { budget, subject, limits, requestId, onAlert } = call
  const model = `tool/${tool.name}`
  const reserving = budget.reserve({
    idempotencyKey: identity.id,
    // The id is new. Another process may resume the same batch.
    releaseUnanswered: !call.isResumable,
    subject: { ...subject, model, requestId },
    amount: { nanoUsd, tokens: 0, requests: 0 },
    limits,
    entry: { attempt: identity.attempt },
    wait: waitWithin(call.wait, remainingMs),
    signal: race.signal,
    onAlert,
    recordDenial: false,
  })
  try {
    const result = await race.wait(reserving)
    return result.ok
      ? { status: "reserved", reservation: result.reservation }
      : { status: "denied", error: result.error }
  } catch (error) {
    const releasing = reserving.then<unknown>((late) => late.ok && late.reservation.release())
    // If the release fails too, the lease expires by itself.
    call.waitFor(releasing).catch(() => {})
    const failure = race.error ?? error
    return { status: "not-reserved", error: P2Error.isInstance(failure) ? failure : new UnexpectedError(failure) }
  }
}

type Executed = { status: "succeeded"; output: unknown } | { status: "failed"; error: unknown }

/**
 * Settles a call with its actual cost. A call that threw or did not end may have been billed, so it is charged its maximum, in
 * doubt, as is one whose `actual` throws. Never rejects: a settle that fails must not lose the result.
 */
async function settleTool(
  { reservation }: ReservedTool,
  tool: CompiledTool,
  executed: Executed,
  input: unknown,
  { errorCode, durationMs }: { errorCode: string | undefined; durationMs: number },
): Promise<
  Pick<ToolReceipt, "costNanoUsd" | "costSource" | "inDoubt" | "reservedNanoUsd" | "settlement" | "errorCode">
> {
  if (reservation === undefined || tool.maxCostNanoUsd === undefined)
    return { costNanoUsd: 0, costSource: "none", inDoubt: false, reservedNanoUsd: 0, settlement: "none", errorCode }
  const known = executed.status === "succeeded" ? costOf(tool, executed.output, input) : undefined
  const costNanoUsd = known ?? tool.maxCostNanoUsd
  const inDoubt = known === undefined
  const costSource = inDoubt ? "bound" : "custom"
  const failure = errorCode ?? (inDoubt ? "tool-cost-failed" : undefined)
  const entry = {
    status: executed.status,
    errorCode: failure,
    costSource,
    durationMs: Math.round(durationMs),
    tokens: {},
    ...(inDoubt ? { inDoubt } : {}),
  } as const
  const settlement = await reservation.settle({ nanoUsd: costNanoUsd, tokens: 0, requests: 0 }, entry).then(
    ({ status }) => (status === "pending" ? ("pending" as const) : ("settled" as const)),
    () => "pending" as const,
  )
  return { costNanoUsd, costSource, inDoubt, reservedNanoUsd: tool.maxCostNanoUsd, settlement, errorCode: failure }
}

/** Undefined: `actual` threw, or returned no amount. */
function costOf(tool: CompiledTool, output: unknown, input: unknown): number | undefined {
  try {
    return tool.costOf(output, input)
  } catch {
    return undefined
  }
}

/** A result as the model sees it. */
function resultContent(output: unknown, maxLength: number): string {
  const text = output === undefined ? "(no result)" : typeof output === "string" ? output : yamlOf(output)
  // Some servers reject an empty message.
  return cut(text === "" ? "(empty result)" : text, maxLength)
}

function yamlOf(output: unknown): string {
  try {
    return toYaml(output)
  } catch {
    // A cycle, a function, or a getter that throws. The caller has the result.
    return "Error: The result of the tool cannot be converted to text."
  }
}

const MAX_ERROR_LENGTH = 2_000
const MAX_ISSUES = 20

/** The message of what a tool threw, without its stack and its cause. */
function errorContent(error: unknown): string {
  const message = typeof error === "string" ? error : messageOf(error)
  const text = typeof message === "string" && message !== "" ? message : "The tool failed."
  return `Error: ${cut(text, MAX_ERROR_LENGTH)}`
}

function messageOf(error: unknown): unknown {
  try {
    return (error as { message?: unknown } | null | undefined)?.message
  } catch {
    return undefined
  }
}

/** The issues of arguments that do not match the schema. */
function invalidContent({ reason, issues }: (CheckedCall & { status: "invalid" })["error"]): string {
  if (reason === "json") return "Error: The arguments are not valid JSON. The tool was not run."
  const lines = issues.slice(0, MAX_ISSUES).map(({ path, message }) => `- ${path.join(".") || "the call"}: ${message}`)
  return cut(`Error: The tool was not run.\n${lines.join("\n")}`, MAX_ERROR_LENGTH)
}

function cut(text: string, maxLength: number): string {
  // Some servers reject half of a surrogate pair.
  if (text.length <= maxLength) return text.replace(/\p{Cs}/gu, "\uFFFD")
  const start = text.slice(0, maxLength).replace(/[\uD800-\uDBFF]$/, "")
  return `${start.replace(/\p{Cs}/gu, "\uFFFD")}\n[cut off: ${start.length} of ${text.length} characters]`
}
