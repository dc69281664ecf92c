import { randomBytes } from "node:crypto"
import { userInfo } from "node:os"
import type { Limit } from "@p2/budget"
import { hideString, InvalidArgumentError, usd } from "@p2/core"
import type { InputBoundMode } from "@p2/guard"
import { MAX_TIMER_MS, readDuration } from "../duration"
import { readStoreAddress } from "../store/store-address"
import { secretsIn } from "./credentials"
import { findProgram } from "./programs"

/** The arguments of `p2 run`, as Commander parses them. */
export interface RunArguments {
  budget?: string
  per?: string
  timeZone?: string
  user?: string
  tag: string[]
  store?: string
  upstream: string[]
  maxOutputTokens?: string
  clamp?: true
  wait?: string
  inputBound?: string
  serviceTier: string
  maxToolCalls?: string
  passEnv: string[]
  grace: string
  watch?: true
  dashboard?: true
  receipt?: string
  quiet?: true
}

/** Validated options of a run. */
export interface RunOptions {
  command: readonly [string, ...string[]]
  /** What is shown and recorded: `claude`, or the name of the command. */
  program: string
  runId: string
  userId: string
  tags: Readonly<Record<string, string>>
  /** Dollars. */
  limit: string
  /** Undefined: the limit applies to the run. */
  per: Limit["per"]
  timeZone: string | undefined
  storeAddress: string
  upstreams: readonly string[]
  maxOutputTokens: number | undefined
  clamp: boolean
  waitMs: number | undefined
  inputBound: InputBoundMode | undefined
  serviceTier: string
  maxToolCalls: number
  passed: ReadonlySet<string>
  graceMs: number
  watch: boolean
  dashboard: boolean
  receiptFile: string | undefined
  quiet: boolean
}

/** @throws InvalidArgumentError; its message shows no secret of the environment */
export function readRunOptions(given: RunArguments, command: readonly string[], env: NodeJS.ProcessEnv): RunOptions {
  const passed = new Set(given.passEnv)
  checkCommand(command, env, passed)
  if (given.timeZone !== undefined && given.per === undefined)
    throw new InvalidArgumentError("--time-zone", "absent, because there is no `--per`", given.timeZone)
  return {
    command,
    program: findProgram(command)?.program.name ?? nameOf(command[0]),
    runId: randomBytes(6).toString("hex"),
    userId: given.user ?? loginName(env),
    tags: readTags(given.tag),
    limit: readBudget(given.budget),
    per: given.per as Limit["per"],
    timeZone: given.timeZone,
    storeAddress: readStoreAddress(given.store, env),
    upstreams: given.upstream,
    maxOutputTokens:
      given.maxOutputTokens === undefined ? undefined : readCount(given.maxOutputTokens, "--max-output-tokens"),
    clamp: given.clamp === true,
    waitMs: given.wait === undefined ? undefined : readDuration(given.wait, "--wait", MAX_TIMER_MS),
    inputBound: given.inputBound as InputBoundMode | undefined,
    serviceTier: given.serviceTier,
    maxToolCalls: readCount(given.maxToolCalls ?? (given.clamp ? "2" : "10"), "--max-tool-calls"),
    passed,
    graceMs: readDuration(given.grace, "--grace", MAX_TIMER_MS),
    watch: given.watch === true,
    dashboard: given.dashboard === true,
    receiptFile: given.receipt,
    quiet: given.quiet === true,
  }
}

function checkCommand(
  command: readonly string[],
  env: NodeJS.ProcessEnv,
  passed: ReadonlySet<string>,
): asserts command is readonly [string, ...string[]] {
  if (command[0] === undefined || command[0] === "")
    throw new InvalidArgumentError(
      "command",
      "a command",
      undefined,
      "No command. Write it after `--`: p2 run --budget 5 -- claude",
    )
  const found = secretsIn(env, passed).find(({ value }) => command.some((word) => word.includes(value)))
  if (found !== undefined)
    throw new InvalidArgumentError(
      "command",
      "a command without keys",
      undefined,
      `The command contains the value of ${found.variable}, with which the program could bypass the cap. Remove it from the command, or allow it with --pass-env ${found.variable}.`,
    )
}

function nameOf(word: string): string {
  return (word.split(/[\\/]/).findLast((part) => part !== "") ?? word).slice(0, 40)
}

function loginName(env: NodeJS.ProcessEnv): string {
  try {
    return userInfo().username
  } catch {
    // A container may run as a user id without a name.
    return env.USER ?? "local"
  }
}

function readBudget(value: string | undefined): string {
  if (value === undefined)
    throw new InvalidArgumentError(
      "--budget",
      "a dollar amount",
      undefined,
      "No budget. Set the most that the calls may cost: p2 run --budget 5 -- command",
    )
  if (usd(value, "--budget") >= 0) return value
  throw new InvalidArgumentError("--budget", "a dollar amount of at least 0", value)
}

function readTags(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const [, name, value] = /^([^=]+)=(.+)$/.exec(pair) ?? []
      if (name === undefined || value === undefined)
        throw new InvalidArgumentError("--tag", "NAME=VALUE such as team=search", hideString(pair))
      if (name === "run") throw new InvalidArgumentError("--tag", "another name, because p2 sets `run`", pair)
      return [name, value]
    }),
  )
}

function readCount(value: string, name: string): number {
  const count = Number(value)
  if (/^\d{1,9}$/.test(value) && count > 0) return count
  throw new InvalidArgumentError(name, "a positive integer", value)
}
