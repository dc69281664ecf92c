import { createBudget, memoryStore } from "@p2/budget"
import type { LocalProvider } from "@p2/local-provider"
import type { Draw } from "../fuzz/draw"
import { type GuardAttempt, guardFetch, withBudget } from "../src/index"
import type { InputBoundMode } from "../src/input-bound/input-bounds"
import type { RecordedCall } from "./recorded-bodies"
import type { RecordedFormat } from "./wire-formats"

/** A call as it was reserved and billed. */
export interface PlayedCall {
  /** The most input tokens that were reserved. */
  inputBound: number
  billedInput: number
  reservedNanoUsd: number
  billedNanoUsd: number
}

/** Plays calls of one wire format through one `guardFetch` against the local provider. */
export class CallPlayer {
  readonly #server: LocalProvider
  readonly #format: RecordedFormat
  readonly #store = memoryStore()
  readonly #attempts: GuardAttempt[] = []
  readonly #fetch: typeof fetch
  /** Calls are sent and not answered. */
  #isSilent = false
  /** Calls that were sent, and requests for counts. */
  sent = 0
  counts = 0

  /** @param fetch for a server whose counts differ from its bills */
  constructor(server: LocalProvider, format: RecordedFormat, mode: InputBoundMode, fetch = globalThis.fetch) {
    this.#server = server
    this.#format = format
    const inner: typeof globalThis.fetch = (input, init) => {
      const isCount = format.countPath.test(new URL(String(input)).pathname)
      if (isCount) this.counts += 1
      else this.sent += 1
      return this.#isSilent && !isCount ? untilAborted(init?.signal) : fetch(input, init)
    }
    this.#fetch = guardFetch({
      budget: createBudget({ store: this.#store, limits: [{ scope: "total", limit: { tokens: 1e12 } }] }),
      provider: format.provider,
      inputBound: mode,
      charge: { abort: "nothing" },
      fetch: inner,
      onAttempt: (attempt) => void this.#attempts.push(attempt),
    })
  }

  async play(recorded: RecordedCall): Promise<PlayedCall> {
    const response = await this.#send(recorded)
    const text = await response.text()
    if (!response.ok) throw new Error(`${recorded.name}: status ${response.status}: ${text.slice(0, 300)}`)
    const { reservedNanoUsd, limits } = this.#attempts.at(-1)!
    const billed = this.#server.ledger.calls.at(-1)!
    return {
      inputBound: limits[0]!.reserved - this.#format.maxOutputTokens,
      billedInput: billed.promptTokens,
      reservedNanoUsd,
      billedNanoUsd: billed.nanoUsd,
    }
  }

  /**
   * Sends a call repeatedly, without an answer, until the limit denies it. At least one call must have been played: the
   * circuit breaker lets few calls run at a provider that has never answered.
   * @returns how many were open concurrently
   */
  async openAtOnce(recorded: RecordedCall, limit: string): Promise<number> {
    const budget = createBudget({ store: this.#store, limits: [{ scope: "request", limit }] })
    const subject = { requestId: crypto.randomUUID() }
    const controllers: AbortController[] = []
    const open: Promise<unknown>[] = []
    const before = this.sent
    this.#isSilent = true
    for (let fits = true; fits; ) {
      const sentBefore = this.sent
      const controller = new AbortController()
      controllers.push(controller)
      const call = withBudget({ budget, subject }, () => this.#send(recorded, controller.signal))
      // A call that was sent has no response until it is aborted.
      const ended = call.then(({ status }) => {
        if (status !== 402) throw new Error(`${recorded.name}: status ${status}`)
        fits = false
      })
      open.push(ended)
      while (this.sent === sentBefore && fits)
        await Promise.race([ended, new Promise((resolve) => setImmediate(resolve))])
    }
    for (const controller of controllers) controller.abort()
    await Promise.allSettled(open)
    this.#isSilent = false
    return this.sent - before
  }

  #send(recorded: RecordedCall, signal?: AbortSignal): Promise<Response> {
    const { url, headers, body } = this.#format.call(recorded, this.#server)
    return this.#fetch(url, { method: "POST", headers, body: JSON.stringify(body), ...(signal && { signal }) })
  }
}

function untilAborted(signal: AbortSignal | null | undefined): Promise<Response> {
  return new Promise((_resolve, reject) => signal?.addEventListener("abort", () => reject(signal.reason)))
}

/** A call of the same kind: a tenth of the words of its turns is replaced. */
export function varyCall({ turns, ...call }: RecordedCall, draw: Draw): RecordedCall {
  const vary = (text: string) =>
    text.replace(/\S+/g, (word) => (draw.chance(0.1) ? draw.pick([word, "", "so", "value", "42", word + word]) : word))
  return {
    ...call,
    turns: turns.map((turn) =>
      turn.kind === "tool" ? { ...turn, result: vary(turn.result) } : { ...turn, text: vary(turn.text) },
    ),
  }
}
