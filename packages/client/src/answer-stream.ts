import { type CompiledAnswer, type DeepPartial, InvalidArgumentError } from "@p2/core"
import type { ErrorWithReceipt } from "./errors"
import type { Receipt } from "./receipt"

/** The result of a call. `error.code` narrows `error` to its fields. */
export type GenerateResult<Answer> =
  | { ok: true; answer: Answer; receipt: Receipt }
  | { ok: false; error: ErrorWithReceipt; receipt: Receipt }

/** An unfinished answer: the text so far, or an object in which any part may be missing. */
export type PartialAnswer<Answer> = Answer extends string ? string : DeepPartial<Answer>

/**
 * An answer as it grows. Iterate it for partial answers, which are not validated; a slow reader skips some. Await `result`
 * for the validated answer and its receipt. Leaving the loop aborts the call and settles it at once. After a retry, a
 * repair or a fallback the partial answers start again.
 */
export class AnswerStream<Answer> implements AsyncIterable<PartialAnswer<Answer>> {
  /** Resolves with the answer and its receipt, or rejects as `generateResponse()` does. */
  readonly result: Promise<{ answer: Answer; receipt: Receipt }>
  readonly #controller: AbortController
  readonly #compiled: CompiledAnswer<Answer> | undefined
  #text = ""
  #version = 0
  #hasEnded = false
  #isIterated = false
  #wakeReader: (() => void) | undefined

  /** @internal Created by `client.stream()`. */
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
      this.#wakeReader?.()
    })
    const ended = running.finally(() => {
      this.#hasEnded = true
      this.#wakeReader?.()
    })
    this.result = ended.then((result) => {
      if (!result.ok) throw result.error
      return { answer: result.answer, receipt: result.receipt }
    })
    // A caller that only iterates gets the error from the loop.
    this.result.catch(() => {})
  }

  /** Aborts the call. `result` rejects with code `aborted`. */
  cancel(reason?: unknown): void {
    if (!this.#hasEnded) this.#controller.abort(reason ?? new Error("Cancelled."))
  }

  /** @throws InvalidArgumentError when the stream was iterated before. */
  [Symbol.asyncIterator](): AsyncIterableIterator<PartialAnswer<Answer>, void, undefined> {
    if (this.#isIterated)
      throw new InvalidArgumentError(
        "stream",
        "a stream that was not iterated before",
        "a second loop",
        "A stream can be iterated once only. Await `stream.result` for the answer.",
      )
    this.#isIterated = true
    const partials = this.#partials()
    return {
      next: () => partials.next(),
      // `return` before the first `next` does not reach the `finally` of the generator.
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
        } else if (this.#hasEnded) break
        else
          await new Promise<void>((resolve) => {
            this.#wakeReader = resolve
          })
      }
      await this.result
    } finally {
      this.cancel()
    }
  }
}
