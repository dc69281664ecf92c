import { callObserver, type Message, MessageBuilder, type MessageInput, type NanoUsd, toUsdNumber } from "@p2/core"
import type { ErrorWithReceipt } from "../errors"
import type { Receipt } from "../receipt"

/** Options of `client.map()`. */
export interface MapOptions<Item> {
  /**
   * The user message of an item, or its messages. They are sent after the conversation of the client.
   * @defaultValue the item itself; an object becomes YAML
   */
  prompt?: ((item: Item, index: number) => string | readonly MessageInput[]) | undefined
  /** Concurrent calls, 1 to 1000. @defaultValue 8 */
  concurrency?: number | undefined
  /**
   * Maximum cost of all calls of the batch together, in dollars, in addition to all other limits. @defaultValue no
   * limit
   */
  maxBudget?: number | string | undefined
  /**
   * The name of the batch. Its answers are recorded in the ledger, up to 64 KiB each, and another map with this name does not
   * pay for them again. Entries have it as the tag `batch`.
   */
  idempotencyKey?: string | undefined
  /**
   * How long a call waits for budget that other calls have reserved, in milliseconds.
   * @defaultValue `wait` of the client, else half of `timeoutMs` of the request
   */
  wait?: { timeoutMs: number } | undefined
  /** Aborts the running calls, which are settled, and skips the others. The promise resolves with what was answered. */
  signal?: AbortSignal | undefined
  /** Called before the first call and after each item. */
  onProgress?: ((progress: MapProgress) => void) | undefined
}

/** The result of one item. */
export type MapResult<Answer> = { index: number } & (
  | { status: "answered"; answer: Answer; receipt: Receipt }
  /** It was answered and paid for in an earlier run of the batch. */
  | { status: "resumed"; answer: Answer; requestId: string; costNanoUsd: NanoUsd }
  | { status: "failed"; error: ErrorWithReceipt; receipt: Receipt }
  /** It was not called: an item before it was denied, or the signal fired. */
  | { status: "skipped"; reason: "denied" | "aborted" }
)

/** The progress of a map. */
export interface MapProgress {
  total: number
  /** `answered + resumed + failed + skipped`. */
  done: number
  answered: number
  resumed: number
  failed: number
  skipped: number
  running: number
  /** What the calls of this run cost, in dollars. */
  cost: number
  costNanoUsd: NanoUsd
}

/** The messages of each item. @throws InvalidRequestError, InvalidArgumentError */
export function promptsOf<Item>(items: readonly Item[], prompt: MapOptions<Item>["prompt"]): Message[][] {
  return items.map((item, index) => {
    const builder = new MessageBuilder()
    if (prompt === undefined) builder.addMessageUser(item)
    else builder.addPrompt(prompt(item, index))
    return builder.getMessages()
  })
}

/** How many items ended in each way. */
type Counts = Record<MapResult<unknown>["status"], number>

/**
 * Calls the items that have no result yet, in order, at most `concurrency` concurrently. Stops at the first denial that waiting
 * cannot resolve. Never rejects.
 *
 * @param results those of the items that were answered in an earlier run
 */
export async function mapItems<Answer>(
  results: (MapResult<Answer> | undefined)[],
  call: (index: number) => Promise<Exclude<MapResult<Answer>, { status: "skipped" }>>,
  { concurrency = 8, signal, onProgress }: Pick<MapOptions<never>, "concurrency" | "signal" | "onProgress">,
): Promise<MapResult<Answer>[]> {
  const counts: Counts = { answered: 0, resumed: 0, failed: 0, skipped: 0 }
  let [running, costNanoUsd, isDenied] = [0, 0, false]
  const report = () => {
    const done = counts.answered + counts.resumed + counts.failed + counts.skipped
    const progress: MapProgress = {
      total: results.length,
      done,
      ...counts,
      running,
      cost: toUsdNumber(costNanoUsd),
      costNanoUsd,
    }
    callObserver(() => onProgress?.(progress))
  }
  for (const result of results) if (result !== undefined) counts[result.status]++
  report()

  const waiting = [...results.keys()].filter((index) => results[index] === undefined)
  const end = (result: MapResult<Answer>) => {
    results[result.index] = result
    counts[result.status]++
    if (result.status !== "skipped") running--
    report()
  }
  const worker = async () => {
    for (let index = waiting.shift(); index !== undefined; index = waiting.shift()) {
      if (signal?.aborted || isDenied) {
        end({ index, status: "skipped", reason: isDenied ? "denied" : "aborted" })
        continue
      }
      running++
      const result = await call(index)
      if ("receipt" in result) costNanoUsd += result.receipt.costNanoUsd
      const denial = result.status === "failed" ? denialIn(result) : undefined
      if (denial === "busy" && running > 1 && !signal?.aborted) {
        // Other calls of this batch have reserved the budget: call the item again when one of them has ended.
        running--
        waiting.unshift(index)
        await ended()
        continue
      }
      isDenied ||= denial === "final"
      end(result)
      wake()
    }
  }
  // Workers whose item was denied wait here until another item ends.
  let wakers: (() => void)[] = []
  const ended = () => new Promise<void>((resolve) => wakers.push(resolve))
  const wake = () => {
    for (const resolve of wakers) resolve()
    wakers = []
  }
  await Promise.all(Array.from({ length: Math.min(concurrency, waiting.length) }, worker))
  return results as MapResult<Answer>[]
}

/**
 * `final`: a limit over several calls denies it, and waiting does not help. The limit of one call does not affect the others.
 * `busy`: nothing was sent, and the call fits once other calls settle.
 */
function denialIn({ error, receipt }: { error: ErrorWithReceipt; receipt: Receipt }): "busy" | "final" | undefined {
  if (error.code !== "budget-exceeded" || error.scope === "request") return undefined
  if (!error.busy) return "final"
  return receipt.attempts.every(({ status }) => status === "denied") ? "busy" : undefined
}
