import type { MessageInput, NanoUsd } from "@p2/core"
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
  /** The most that the calls of the batch may cost together, in dollars, in addition to all other limits. @defaultValue no limit */
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
