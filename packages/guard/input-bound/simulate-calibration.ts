import { isRecord } from "@p2/core"
import { createPriceTable } from "@p2/pricing"
import { countTokens } from "@p2/tokens"
import { Draw } from "../fuzz/draw"
import { createInputBounds } from "../src/input-bound/create-input-bounds"
import { describeCall, type ProtocolContext, type ProviderCall } from "../src/protocols"
import { type CallMix, drawCall, FIRST_MIX, LAST_MIX } from "./draw-calls"
import { ANTHROPIC, type RecordedFormat } from "./wire-formats"

/** The stated risk of calibrated bounds: the largest share of calls that exceed the bound of their input. */
export const STATED_RISK = 1 / 200

export interface SimulationOptions {
  calls: number
  seed: string
  /** Calls that are sent before the report of a call arrives. @defaultValue 50 */
  inFlight?: number
}

export interface SimulationResult {
  calls: number
  /** Calls whose class had enough reports. */
  calibrated: number
  /** Calls that were billed more than the bound of their input. */
  exceeded: number
  /** The largest bill, as a multiple of its bound. */
  largestExcess: number
  /** Input tokens reserved per billed token, over all calibrated calls: calibrated and by the hard rules. */
  ratio: number
  hardRatio: number
  /** Calls that were billed more than their hard bound. */
  hardExceeded: number
}

/** The tokenizer of the simulated provider, and what it adds to a prompt without reporting it. */
interface Version {
  encoding: "o200k_base" | "cl100k_base" | "p50k_base"
  factor: number
  addedTokens: number
  growth: number
}

/**
 * The provider changes its tokenizer twice: by a few percent, as a new version of a model does, and to a vocabulary
 * that needs far more tokens for other languages. The instructions that it adds grow slowly.
 */
const VERSIONS: readonly Version[] = [
  { encoding: "o200k_base", factor: 1.1, addedTokens: 20, growth: 0.05 },
  { encoding: "cl100k_base", factor: 1.15, addedTokens: 20, growth: 0.05 },
  { encoding: "p50k_base", factor: 1, addedTokens: 60, growth: 0.05 },
]

const context: ProtocolContext = {
  prices: createPriceTable({}, { extends: "published" }),
  deployments: {},
  provider: "anthropic",
}

/** The base URL of a wire format; nothing is sent there. */
const NOWHERE = {
  anthropicBaseURL: "http://127.0.0.1:9",
  baseURL: "http://127.0.0.1:9/v1",
  geminiBaseURL: "http://127.0.0.1:9",
}

/**
 * Plays a changing mix of calls against a provider whose tokenizer changes, and counts those whose input exceeds its
 * calibrated bound. The input that the provider bills is counted from the same body by another tokenizer than the
 * estimate's.
 */
export async function simulateCalibration({
  calls,
  seed,
  inFlight = 50,
}: SimulationOptions): Promise<SimulationResult> {
  const draw = new Draw(seed)
  const bounds = createInputBounds("calibrated")
  const result = { calibrated: 0, exceeded: 0, largestExcess: 0, hardExceeded: 0 }
  const open: (() => void)[] = []
  const sums = { bound: 0, hard: 0, billed: 0 }
  for (let index = 0; index < calls; index++) {
    const progress = index / calls
    const call = providerCall(drawCall(draw, mixAt(progress)), ANTHROPIC)
    const described = describeCall(call, context)
    if (described.status !== "priced") throw new Error(`Call ${index} of seed ${seed} is ${described.status}.`)
    const hard = described.input.upperBound
    const { described: bounded, onInputReported } = await bounds.bound({
      call,
      described,
      context,
      fetch,
      signal: undefined,
    })
    const bound = bounded.input.upperBound
    const billed = billedTokens(call, progress)
    open.push(() => onInputReported(billed))
    if (open.length > inFlight) open.shift()!()
    if (billed > hard) result.hardExceeded += 1
    if (bound === hard) continue
    result.calibrated += 1
    sums.bound += bound
    sums.hard += hard
    sums.billed += billed
    if (billed > bound) {
      result.exceeded += 1
      result.largestExcess = Math.max(result.largestExcess, billed / bound)
    }
  }
  return { calls, ...result, ratio: sums.bound / sums.billed, hardRatio: sums.hard / sums.billed }
}

/** The mix of the first third, then a slow change to another one. */
function mixAt(progress: number): CallMix {
  const share = Math.min(1, Math.max(0, (progress - 1 / 3) * 3))
  const kinds = Object.keys(FIRST_MIX) as (keyof CallMix)[]
  return Object.fromEntries(
    kinds.map((kind) => [kind, FIRST_MIX[kind] * (1 - share) + LAST_MIX[kind] * share]),
  ) as unknown as CallMix
}

function billedTokens({ body }: ProviderCall, progress: number): number {
  const { encoding, factor, addedTokens, growth } = VERSIONS[Math.floor(progress * VERSIONS.length)]!
  const texts = body.kind === "json" ? textsIn([body.value.system, body.value.messages, body.value.tools]) : []
  const tokens = countTokens(texts.join("\n"), { encoding })
  return Math.round(tokens * factor * (1 + growth * progress)) + addedTokens + 3 * texts.length
}

/** The strings of a body, as a provider might lay them out. */
function textsIn(value: unknown): string[] {
  if (typeof value === "string") return [value]
  if (Array.isArray(value)) return value.flatMap(textsIn)
  return isRecord(value) ? Object.entries(value).flatMap(([name, inner]) => [name, ...textsIn(inner)]) : []
}

function providerCall(recorded: ReturnType<typeof drawCall>, format: RecordedFormat): ProviderCall {
  const { url, headers, body } = format.call(recorded, NOWHERE)
  return { method: "POST", url: new URL(url), headers: new Headers(headers), body: { kind: "json", value: body } }
}
