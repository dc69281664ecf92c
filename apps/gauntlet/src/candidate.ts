import type OpenAI from "openai"
import { MODEL, messagesOf } from "./billing-provider"
import type { Call } from "./workload"

/** What a candidate may use, in each of its processes. */
export interface Surroundings {
  baseURL: string
  redisUrl: string
  /** The most that all processes together may spend, in tokens of input and output. */
  limitTokens: number
  processes: number
  /** Concurrent calls in one process. */
  lanes: number
}

/** A way to limit spending, in one process. */
export interface Candidate {
  /** Makes a call. Rejects if the call failed after it was allowed. */
  ask(call: Call, lane: number): Promise<"answered" | "denied">
  /** Tokens that it has counted: of all processes, or only its own where nothing is shared. */
  countedTokens(): Promise<number>
  close(): Promise<void>
}

export interface Definition {
  name: string
  /** The package and its version, or undefined without a package. */
  packageName: string | undefined
  /** Whether `countedTokens` is the count of all processes. */
  isShared: boolean
  create(surroundings: Surroundings): Promise<Candidate>
}

export function chatParameters(call: Call) {
  return { model: MODEL, max_tokens: call.maxTokens, messages: messagesOf(call) }
}

export function signalOf(call: Call): AbortSignal | undefined {
  return call.abortAfterMs === undefined ? undefined : AbortSignal.timeout(call.abortAfterMs)
}

/** Makes a call with the OpenAI SDK and reads the answer. Resolves to its usage, unless a stream was abandoned. */
export async function sendChat(openai: OpenAI, call: Call): Promise<OpenAI.CompletionUsage | undefined> {
  const parameters = chatParameters(call)
  const signal = signalOf(call)
  if (!call.isStream) return (await openai.chat.completions.create(parameters, { signal })).usage
  return readStream(
    await openai.chat.completions.create(
      { ...parameters, stream: true, stream_options: { include_usage: true } },
      { signal },
    ),
    call,
  )
}

export async function readStream(
  chunks: AsyncIterable<OpenAI.ChatCompletionChunk>,
  call: Call,
): Promise<OpenAI.CompletionUsage | undefined> {
  let usage: OpenAI.CompletionUsage | undefined
  let count = 0
  for await (const chunk of chunks) {
    usage = chunk.usage ?? usage
    if (++count === call.leaveAfterChunks) break
  }
  return usage
}
