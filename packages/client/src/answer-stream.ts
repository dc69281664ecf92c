import { type CompiledAnswer, type DeepPartial, InvalidArgumentError } from "@p2/core"
import type { ErrorWithReceipt } from "./client-errors"
import type { Receipt } from "./receipt"

/** How a request ended: a value, never a rejection. */
export type GenerateResult<Answer> =
  | { ok: true; answer: Answer; receipt: Receipt }
  | { ok: false; error: ErrorWithReceipt; receipt: Receipt }

/** What an unfinished answer looks like: text so far, or an object of which any part may be missing. */
export type PartialAnswer<Answer> = Answer extends string ? string : DeepPartial<Answer>

/**
 * An answer as it grows. Iterate it for partials (not validated; what was already read is skipped when the reader is
 * slow), and await `result` for the validated answer and its receipt. A reader that leaves the loop ends the call,
 * which is settled at once. A retry, a repair or a fallback begins the partials anew.
 */
export class AnswerStream<Answer> implements AsyncIterable<PartialAnswer<Answer>> {
  /** The answer and its receipt; rejects with the error and its receipt as `generateResponse` does. */
  readonly result: Promise<{ answer: Answer; receipt: Receipt }>
  readonly #controller: AbortController
  readonly #compiled: CompiledAnswer<Answer> | undefined
  #text = ""
  #version = 0
  #over = false
  #isRead = false
  #wake: (() => void) | undefined

  /** @internal Made by `client.stream()`. */
  constructor(options: {
    compiled: CompiledAnswer<Answer> | undefined
    controller: AbortController
    start: (onText: (text: string) => void) => Promise<GenerateResult<Answer>>
  }) {
    this.#compiled = options.compiled
    this.#controller = options.controller
    const running = options.start((text) => {
      this.#text = text
      this.#version++
      this.#wake?.()
    })
    const ended = running.finally(() => {
      this.#over = true
      this.#wake?.()
    })
    this.result = ended.then((result) => {
      if (!result.ok) throw result.error
      return { answer: result.answer, receipt: result.receipt }
    })
    // Who only iterates hears of a failure from the loop.
    this.result.catch(() => {})
  }

  /** Ends the call. `result` rejects with code `aborted`. */
  cancel(reason?: unknown): void {
    if (!this.#over) this.#controller.abort(reason ?? new Error("Cancelled."))
  }

  /** @throws InvalidArgumentError when the stream was iterated before: its partials are gone. */
  [Symbol.asyncIterator](): AsyncIterableIterator<PartialAnswer<Answer>, void, undefined> {
    if (this.#isRead)
      throw new InvalidArgumentError("stream", "iterated once; `result` may be awaited again", "a second loop")
    this.#isRead = true
    const partials = this.#partials()
    return {
      next: () => partials.next(),
      // Leaving before the first step would not reach the generator's own end.
      return: () => {
        this.cancel()
        return partials.return()
      },
      [Symbol.asyncIterator]() {
        return this
      },
    }
  }

  async *#partials(): AsyncGenerator<PartialAnswer<Answer>, void, undefined> {
    try {
      for (let seen = 0; ; ) {
        if (this.#version !== seen) {
          seen = this.#version
          const partial = this.#compiled === undefined ? this.#text : this.#compiled.parsePartial(this.#text)
          if (partial !== undefined) yield partial as PartialAnswer<Answer>
        } else if (this.#over) break
        else
          await new Promise<void>((resolve) => {
            this.#wake = resolve
          })
      }
      await this.result
    } finally {
      // Of a reader that left; of a call that is over there is nothing to end.
      this.cancel()
    }
  }
}
