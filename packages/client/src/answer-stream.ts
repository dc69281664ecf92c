import {
  type CompiledAnswer,
  cutReasoning,
  type DeepPartial,
  InvalidArgumentError,
  startsWithReasoning,
} from "@p2/core"
import type { Generated, GenerateResult } from "./generate/generate-call"
import type { ToolSet } from "./steps/tool"

/** A piece of a text answer. */
export interface TextDelta {
  /** The text since the last piece. */
  delta: string
  /** The text so far. */
  text: string
  /** The text begins again, and `delta` is all of it: after a retry, a repair, a fallback or a step of tool calls. */
  restarted: boolean
}

/** An unfinished answer: the text so far, or an object in which any part may be missing. */
export type PartialAnswer<Answer> = Answer extends string ? string : DeepPartial<Answer>

/**
 * A partial object is parsed again when the text has grown by this fraction of its length, so that parsing takes linear
 * time in total: a text of 10,000 characters yields every 20 characters.
 */
const GROWTH = 1 / 512

/** An answer of this length shows whether it begins with reasoning. */
const REASONING_LENGTH = 300

/**
 * An answer as it grows. Iterate it for partial answers, which are not validated and have no reasoning. A slow reader skips
 * some, and a long object does not yield at every token. Await `result` for the validated answer and its receipt.
 * Leaving the loop aborts the call and settles it immediately. After a retry, a repair or a fallback the partial
 * answers start again.
 */
export class AnswerStream<Answer, Tools extends ToolSet | undefined = undefined>
  implements AsyncIterable<PartialAnswer<Answer>>
{
  /** Resolves with the answer or with tool calls, and the receipt, or rejects with the error of the call. */
  readonly result: Promise<Generated<Answer, Tools>>
  readonly #controller: AbortController
  readonly #compiledAnswer: CompiledAnswer<Answer> | undefined
  #text = ""
  #version = 0
  #hasEnded = false
  #isIterated = false
  /** The text begins with reasoning; undefined: not determined yet. */
  #isReasoned: boolean | undefined
  #wakeReader: (() => void) | undefined

  /** @internal Created by `client.stream()`. */
  constructor(options: {
    compiled: CompiledAnswer<Answer> | undefined
    controller: AbortController
    start: (onText: (text: string) => void) => Promise<GenerateResult<Answer, Tools>>
  }) {
    this.#compiledAnswer = options.compiled
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
      const { ok: _, ...generated } = result
      return generated as unknown as Generated<Answer, Tools>
    })
    // A caller that only iterates gets the error from the loop.
    this.result.catch(() => {})
  }

  /** Aborts the call. `result` rejects with code `aborted`. */
  cancel(reason?: unknown): void {
    if (!this.#hasEnded) this.#controller.abort(reason ?? new Error("Canceled."))
  }

  /** @throws InvalidArgumentError when the stream was iterated before. */
  [Symbol.asyncIterator](): AsyncIterableIterator<PartialAnswer<Answer>, void, undefined> {
    return this.#iterate(() => this.#partial())
  }

  /**
   * The pieces of an answer without a schema, each with the answer so far. Iterate them instead of the stream.
   * @throws InvalidArgumentError when the stream was iterated before.
   *
   * @example
   * for await (const { delta } of client.stream().deltas) process.stdout.write(delta)
   */
  get deltas(): Answer extends string ? AsyncIterableIterator<TextDelta, void, undefined> : never {
    let before = ""
    const deltas = this.#iterate((): TextDelta | undefined => {
      const text = this.#partial()
      if (typeof text !== "string" || text === before) return undefined
      const restarted = !text.startsWith(before)
      const delta = restarted ? text : text.slice(before.length)
      before = text
      return { delta, text, restarted }
    })
    return deltas as Answer extends string ? typeof deltas : never
  }

  #iterate<Value>(read: () => Value | undefined): AsyncIterableIterator<Value, void, undefined> {
    if (this.#isIterated)
      throw new InvalidArgumentError(
        "stream",
        "a stream that was not iterated before",
        "a second loop",
        "A stream can be iterated only once. Await `stream.result` for the answer.",
      )
    this.#isIterated = true
    const values = this.#values(read)
    return {
      next: () => values.next(),
      // `return` before the first `next` does not reach the `finally` of the generator.
      return: () => {
        this.cancel()
        return values.return()
      },
      [Symbol.asyncIterator]() {
        return this
      },
    }
  }

  async *#values<Value>(read: () => Value | undefined): AsyncGenerator<Value, void, undefined> {
    try {
      for (let seen = 0, seenLength = 0; ; ) {
        if (this.#version !== seen && (this.#hasEnded || this.#hasGrownSince(seenLength))) {
          seen = this.#version
          seenLength = this.#text.length
          const value = read()
          if (value !== undefined) yield value
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

  /** A retry starts with a shorter text. */
  #hasGrownSince(length: number): boolean {
    if (this.#text.length < length) this.#isReasoned = undefined
    if (this.#compiledAnswer === undefined && !this.#isReasoned) return true
    return this.#text.length < length || this.#text.length >= length * (1 + GROWTH)
  }

  #partial(): PartialAnswer<Answer> | undefined {
    if (this.#compiledAnswer !== undefined)
      return this.#compiledAnswer.parsePartial(this.#text) as PartialAnswer<Answer> | undefined
    // A longer text is not checked again, because that would copy it for each piece.
    if (this.#isReasoned === undefined || this.#text.length <= REASONING_LENGTH)
      this.#isReasoned = startsWithReasoning(this.#text)
    const text = this.#isReasoned ? cutReasoning(this.#text) : this.#text
    const isMark = this.#text.length < 20 && /^\s*[<[◁]/.test(this.#text) && !this.#hasEnded
    return text === "" || isMark ? undefined : (text as PartialAnswer<Answer>)
  }
}
