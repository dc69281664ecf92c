import { setTimeout as pause } from "node:timers/promises"
import { InvalidArgumentError } from "@p2/core"
import { SIGNATURE_HEADER, signatureOf } from "./signature"

/** Where alerts are sent. */
export interface WebhookOptions {
  /** `https:`, or `http:` on this machine. */
  url: string
  /** At least 16 characters. */
  secret: string
  /** Receives failures, without the URL, which may contain a token. */
  onFailure(message: string): void
  /** The first delay of a retry. It doubles up to five minutes. @defaultValue 1,000 */
  retryMs?: number | undefined
  /** How long a receiver may take to answer. @defaultValue 10,000 */
  timeoutMs?: number | undefined
}

/** Maximum number of waiting deliveries. */
const MAX_WAITING = 1_000
const MAX_RETRY_MS = 300_000

interface Delivery {
  id: string
  body: string
  attempts: number
  /** By the clock of the process. */
  notBefore: number
}

/** Sends alerts to one receiver, one at a time, and retries failed ones while the process runs. */
export class Webhook {
  readonly #options: WebhookOptions
  readonly #retryMs: number
  readonly #timeoutMs: number
  readonly #waiting: Delivery[] = []
  #sending: Promise<void> | undefined
  #isClosing = false
  /** Aborts the delivery in progress. */
  #abort = () => {}
  /** Ends the wait for the next retry. */
  #wake = new AbortController()

  /** @throws InvalidArgumentError */
  constructor(options: WebhookOptions) {
    this.#options = options
    this.#retryMs = options.retryMs ?? 1_000
    this.#timeoutMs = options.timeoutMs ?? 10_000
    if (!isAllowedURL(options.url))
      throw new InvalidArgumentError(
        "url",
        "",
        undefined,
        "expected an https URL without credentials (http only on this machine).",
      )
    if (options.secret.length < 16)
      throw new InvalidArgumentError("secret", "", undefined, "expected a secret of at least 16 characters.")
  }

  /** Adds an event to the queue. Never throws. */
  send(event: Readonly<Record<string, unknown>>): void {
    if (this.#waiting.length >= MAX_WAITING) {
      this.#options.onFailure(`${MAX_WAITING} alerts are waiting for this webhook; one alert was dropped.`)
      return
    }
    const id = crypto.randomUUID()
    this.#waiting.push({ id, body: JSON.stringify({ id, ...event }), attempts: 0, notBefore: 0 })
    this.#wake.abort()
    this.#sending ??= this.#run().finally(() => {
      this.#sending = undefined
    })
  }

  /** Sends what waits, within the time and until one fails, and stops. Resolves to the number of alerts that were not delivered. */
  async close(timeoutMs: number): Promise<number> {
    this.#isClosing = true
    this.#wake.abort()
    const timer = new AbortController()
    await Promise.race([this.#sending, pause(timeoutMs, undefined, { signal: timer.signal }).catch(() => {})])
    timer.abort()
    this.#abort()
    return this.#waiting.length
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const delivery = this.#waiting.reduce((first, each) => (each.notBefore < first.notBefore ? each : first))
      const delayMs = delivery.notBefore - performance.now()
      if (delayMs > 0 && !this.#isClosing) {
        this.#wake = new AbortController()
        // Does not keep the process running.
        await pause(delayMs, undefined, { ref: false, signal: this.#wake.signal }).catch(() => {})
        continue
      }
      const result = await this.#deliver(delivery)
      if (result.status === "failed") this.#options.onFailure(this.#describe(delivery, result.reason))
      if (result.status === "delivered" || this.#isClosing) {
        // While closing, a failed alert is counted by `close`, but not retried.
        if (result.status === "failed") return
        this.#waiting.splice(this.#waiting.indexOf(delivery), 1)
      }
    }
  }

  async #deliver(delivery: Delivery): Promise<{ status: "delivered" } | { status: "failed"; reason: string }> {
    const { url, secret } = this.#options
    const { id, body } = delivery
    const retryDelayMs = Math.min(this.#retryMs * 2 ** delivery.attempts, MAX_RETRY_MS)
    delivery.attempts++
    delivery.notBefore = performance.now() + retryDelayMs * (0.75 + Math.random() / 2)
    const controller = new AbortController()
    this.#abort = () => controller.abort()
    const timer = setTimeout(
      () => controller.abort(new DOMException("The webhook did not respond in time.", "TimeoutError")),
      this.#timeoutMs,
    )
    try {
      const response = await fetch(url, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          "user-agent": "p2",
          "p2-delivery": id,
          [SIGNATURE_HEADER]: signatureOf(body, secret, Date.now()),
        },
        body,
        // A redirect would send the alert to another receiver.
        redirect: "manual",
        signal: controller.signal,
      })
      response.body?.cancel().catch(() => {})
      return response.ok ? { status: "delivered" } : { status: "failed", reason: `status ${response.status}` }
    } catch (error) {
      return { status: "failed", reason: reasonOf(error) }
    } finally {
      clearTimeout(timer)
    }
  }

  #describe({ id, attempts }: Delivery, reason: string): string {
    return `Alert ${id} was not delivered (attempt ${attempts}, ${reason}). p2 retries it.`
  }
}

function isAllowedURL(url: string): boolean {
  if (!URL.canParse(url)) return false
  const { protocol, hostname, username, password } = new URL(url)
  if (username + password !== "") return false
  const isLocal = hostname === "localhost" || hostname === "[::1]" || /^127\./.test(hostname)
  return protocol === "https:" || (protocol === "http:" && isLocal)
}

function reasonOf(error: unknown): string {
  const { name, cause } = error as { name?: unknown; cause?: { code?: unknown } }
  if (name === "TimeoutError") return "timeout"
  const { code } = cause ?? {}
  return typeof code === "string" && /^\w{1,40}$/.test(code) ? code : "no connection"
}
