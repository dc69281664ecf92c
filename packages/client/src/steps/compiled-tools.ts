import {
  type AnswerModel,
  type CompiledAnswer,
  checkOptions,
  compileAnswer,
  InvalidAnswerError,
  InvalidArgumentError,
  isRecord,
  type NanoUsd,
  parseJson,
  type ToolDefinition,
  usd,
} from "@p2/core"
import type { CalledTool } from "@p2/guard/protocols"
import type { Route } from "../providers/route"
import type { AnswerMode } from "../receipt"
import type { AnyTool, ToolChoice, ToolSet } from "./tool"

/** A tool that was checked, with its schema in the form that is sent. */
export interface CompiledTool {
  name: string
  definition: ToolDefinition
  /** Undefined: it has no arguments. */
  parameters: CompiledAnswer<unknown> | undefined
  execute: AnyTool["execute"]
  /** Maximum cost of a call; undefined: it is free. */
  maxCostNanoUsd: NanoUsd | undefined
  /** The actual cost of a call that succeeded. */
  costOf: (output: unknown, input: unknown) => NanoUsd
  maxResultLength: number
}

/** The tools of a client. */
export interface CompiledTools {
  byName: ReadonlyMap<string, CompiledTool>
  choice: ToolChoice
  /** Steps in which tools may be run, and the last, whose calls are returned. */
  maxSteps: number
  definitions: readonly ToolDefinition[]
  /** The definitions, and the one whose call is the answer in the mode `tool`. */
  definitionsWithAnswer: readonly ToolDefinition[]
}

const TOOL_NAMES: ReadonlySet<string> = new Set(["description", "parameters", "execute", "cost", "maxResultLength"])
const COST_NAMES: ReadonlySet<string> = new Set(["max", "actual"])
const ADVICE = {
  inputSchema: "Did you mean `parameters`?",
  schema: "Did you mean `parameters`?",
  run: "Did you mean `execute`?",
  handler: "Did you mean `execute`?",
  type: "Write `tools: { name: tool({ description, parameters, execute }) }`.",
  function: "Write `tools: { name: tool({ description, parameters, execute }) }`.",
}

/** Maximum number of tools that OpenAI accepts. https://platform.openai.com/docs/api-reference/chat/create */
const MAX_TOOLS = 128
const DEFAULT_MAX_RESULT_LENGTH = 50_000
const NO_ARGUMENTS = {
  parameters: { type: "object", properties: {}, required: [], additionalProperties: false },
  strict: true,
}

/**
 * Checks and compiles the tools of a client. Undefined: it has none.
 * @throws InvalidArgumentError, UnsupportedSchemaError
 */
export function compileTools(
  options: { tools?: ToolSet | undefined; toolChoice?: ToolChoice | undefined; maxSteps?: number | undefined },
  answer: CompiledAnswer<unknown> | undefined,
): CompiledTools | undefined {
  const { tools, toolChoice: choice = "auto", maxSteps = 1 } = options
  if (tools === undefined) {
    for (const name of ["toolChoice", "maxSteps"] as const)
      if (options[name] !== undefined)
        throw new InvalidArgumentError(`options.${name}`, "absent without `tools`", options[name])
    return undefined
  }
  const names = Object.keys(tools)
  if (names.length === 0 || names.length > MAX_TOOLS)
    throw new InvalidArgumentError("options.tools", `1 to ${MAX_TOOLS} tools`, names.length)
  const byName = new Map(names.map((name) => [name, compileTool(name, tools[name]!)]))
  if (answer !== undefined && byName.has(answer.name))
    throw new InvalidArgumentError(
      `options.tools.${answer.name}`,
      "another name, because the schema of the answer has this name",
      answer.name,
    )
  if (typeof choice === "object" && !byName.has(choice.tool))
    throw new InvalidArgumentError("options.toolChoice.tool", `one of ${names.join(", ")}`, choice.tool)
  const definitions = Object.freeze([...byName.values()].map(({ definition }) => definition))
  const definitionsWithAnswer = answer === undefined ? definitions : Object.freeze([...definitions, answer.tool])
  return { byName, choice, maxSteps, definitions, definitionsWithAnswer }
}

function compileTool(name: string, tool: AnyTool): CompiledTool {
  const path = `options.tools.${name}`
  if (!/^[\w-]{1,64}$/.test(name))
    throw new InvalidArgumentError("options.tools", "names of 1 to 64 letters, digits, `_` or `-`", name)
  checkOptions(tool, TOOL_NAMES, path, ADVICE)
  const { description, parameters: schema, execute, cost, maxResultLength = DEFAULT_MAX_RESULT_LENGTH } = tool
  if (description !== undefined && typeof description !== "string")
    throw new InvalidArgumentError(`${path}.description`, "a string", description)
  if (execute !== undefined && typeof execute !== "function")
    throw new InvalidArgumentError(`${path}.execute`, "a function", execute)
  if (!Number.isSafeInteger(maxResultLength) || maxResultLength < 1)
    throw new InvalidArgumentError(`${path}.maxResultLength`, "an integer of at least 1", maxResultLength)
  if (cost !== undefined && execute === undefined)
    throw new InvalidArgumentError(`${path}.cost`, "absent without `execute`", cost)
  const parameters = schema === undefined ? undefined : compileParameters(schema, path)
  const sent = {
    ...(parameters?.tool.function ?? NO_ARGUMENTS),
    name,
    ...(description === undefined ? {} : { description }),
  }
  return {
    name,
    definition: Object.freeze({ type: "function" as const, function: Object.freeze(sent) }),
    parameters,
    execute,
    ...readCost(cost, `${path}.cost`),
    maxResultLength,
  }
}

function compileParameters(schema: AnswerModel<unknown>, path: string): CompiledAnswer<unknown> {
  try {
    return compileAnswer(schema)
  } catch (error) {
    if (!InvalidArgumentError.isInstance(error)) throw error
    throw new InvalidArgumentError(`${path}.parameters`, error.expected, schema)
  }
}

function readCost(cost: AnyTool["cost"], path: string): Pick<CompiledTool, "maxCostNanoUsd" | "costOf"> {
  if (cost === undefined) return { maxCostNanoUsd: undefined, costOf: () => 0 }
  if (typeof cost !== "object") {
    const fixed = readAmount(cost, path)
    return { maxCostNanoUsd: fixed, costOf: () => fixed }
  }
  checkOptions(cost, COST_NAMES, path)
  const { max, actual } = cost
  if (typeof actual !== "function") throw new InvalidArgumentError(`${path}.actual`, "a function", actual)
  return {
    maxCostNanoUsd: readAmount(max, `${path}.max`),
    costOf: (output, input) => readAmount(actual(output as never, input as never), `${path}.actual()`),
  }
}

function readAmount(amount: number | string, path: string): NanoUsd {
  const nanoUsd = readDollars(amount)
  if (nanoUsd === undefined || nanoUsd < 0)
    throw new InvalidArgumentError(path, 'a dollar amount of at least 0, such as 0.01 or "0.01"', amount)
  return nanoUsd
}

function readDollars(amount: number | string): NanoUsd | undefined {
  try {
    return usd(amount)
  } catch {
    return undefined
  }
}

/** The fields of the body that offer the tools in a step. */
export interface ToolFields {
  tools: readonly ToolDefinition[]
  tool_choice?: "none" | "required" | { type: "function"; function: { name: string } }
}

/** The tools that are offered in a step. In the mode `tool`, the answer is a call as well, so a call is required. */
export function toolFields(
  tools: CompiledTools,
  answer: CompiledAnswer<unknown> | undefined,
  { mode, step }: { mode: AnswerMode; step: number },
): ToolFields {
  const { definitions, definitionsWithAnswer } = tools
  const choice = step === 1 || tools.choice === "none" ? tools.choice : "auto"
  if (answer !== undefined && mode === "tool") {
    if (choice === "auto") return { tools: definitionsWithAnswer, tool_choice: "required" }
    if (choice === "none") return { tools: definitionsWithAnswer, tool_choice: named(answer.name) }
  }
  if (choice === "auto") return { tools: definitions }
  return { tools: definitions, tool_choice: typeof choice === "object" ? named(choice.tool) : choice }
}

function named(name: string) {
  return { type: "function" as const, function: { name } }
}

/** The tokens that tools add to any messages. */
export function countTools(route: Route, { tools }: ToolFields): { tokens: number; upperBound: number } {
  const without = route.countInput([], {})
  const including = route.countInput([], { tools: tools as ToolDefinition[] })
  return {
    tokens: including.tokens - without.tokens,
    upperBound: including.upperBound - without.upperBound,
  }
}

/** A call that the model wrote, compared with the tools. `arguments` is what the model wrote. */
export type CheckedCall = Omit<CalledTool, "id"> & { id: string } & (
    | { status: "valid"; tool: CompiledTool; input: unknown }
    | { status: "invalid"; error: InvalidAnswerError }
  )

/** Maximum number of calls in one step. Further calls are ignored. */
const MAX_CALLS = 128

/** Validates the arguments of the calls of one step, and gives every call a unique id. Never rejects. */
export async function checkCalls(
  calls: readonly CalledTool[],
  { byName }: CompiledTools,
  step: number,
): Promise<CheckedCall[]> {
  const ids = new Set<string>()
  return Promise.all(
    calls.slice(0, MAX_CALLS).map(async ({ id: given, ...called }, index) => {
      const { name, arguments: written } = called
      const id = given === undefined || ids.has(given) ? `call_${step}_${index + 1}` : given
      ids.add(id)
      const call = { ...called, id }
      const tool = byName.get(name)
      if (tool === undefined) return { ...call, status: "invalid" as const, error: unknownTool(byName) }
      if (tool.parameters === undefined) return { ...call, status: "valid" as const, tool, input: {} }
      const result = await tool.parameters.parseAsync(written.trim() === "" ? "{}" : written)
      return result.ok
        ? { ...call, status: "valid" as const, tool, input: result.answer }
        : { ...call, status: "invalid" as const, error: withMessage(result.error, name) }
    }),
  )
}

function unknownTool(byName: CompiledTools["byName"]): InvalidAnswerError {
  const message = `There is no tool of this name. The tools are: ${[...byName.keys()].join(", ")}.`
  const error = new InvalidAnswerError({ reason: "shape", issues: [{ path: [], code: "unknown_tool", message }] })
  return withMessage(error, undefined)
}

/** The message of the error names the tool and shows no argument. */
function withMessage(error: InvalidAnswerError, name: string | undefined): InvalidAnswerError {
  const message =
    name === undefined
      ? "The model called a tool that does not exist."
      : error.reason === "code"
        ? `The parameter schema of the tool ${name} threw an error. See \`error.cause\`.`
        : `The model called the tool ${name} with arguments that do not fit its parameters.`
  return Object.defineProperty(error, "message", { value: message, configurable: true, writable: true })
}

/** The arguments as they are sent back. Some servers reject arguments that are not an object. */
export function sentArguments(written: string): string {
  return isRecord(parseJson(written)) ? written : "{}"
}
