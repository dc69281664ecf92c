import { shortHash } from "../limits/names"
import type { BudgetServices } from "../reservations/process-state"
import type { Millis, Name } from "../store/shape"
import type { UsageEntry } from "./entry"

const MINUTE_MS = 60_000
const MAX_COUNTED = 10_000

/** Denials of one subject in one minute. */
interface DenialCount {
  partition: Name
  key: Name
  entry: UsageEntry
  /** Denials after the first that are not written yet. */
  unwritten: number
  /** Minute of the first denial, since 1970. */
  minute: number
}

/**
 * Records denials once per subject and minute, so that a caller who retries cannot fill the ledger. Writes the first
 * denial immediately, and the number of later ones when the minute is over.
 */
export class DenialRecorder {
  readonly #services: BudgetServices
  /** Part of the keys, so that each process writes its own entries. */
  readonly #process = crypto.randomUUID()
  readonly #counts = new Map<Name, DenialCount>()
  readonly #writes = new Set<Promise<void>>()
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(services: BudgetServices) {
    this.#services = services
  }

  /** Counts a denial, and writes it in the background if it is the first. */
  add(partition: Name, entry: UsageEntry): void {
    const write = this.record(partition, entry).catch((error: unknown) =>
      this.#services.warn("A denial could not be recorded in the usage ledger.", error),
    )
    this.#track(write)
  }

  /** Like `add`, but rejects if the first denial cannot be written. */
  async record(partition: Name, entry: UsageEntry): Promise<void> {
    const { ledger } = this.#services.store
    if (ledger === undefined) return
    const now = this.#services.clock.now(partition)
    const minute = Math.floor(now / MINUTE_MS)
    const { userId, clientId, tags = {}, model, errorCode } = entry
    const sortedTags = Object.entries(tags).sort(([a], [b]) => (a < b ? -1 : 1))
    const subject = [partition, userId, clientId, sortedTags, model, errorCode]
    const key = `denied:${shortHash(JSON.stringify([this.#process, minute, ...subject]))}`
    const earlier = this.#counts.get(key)
    if (earlier !== undefined) {
      earlier.unwritten += entry.count ?? 1
      this.#startTimer(now)
      return
    }
    this.#writeEnded(minute)
    this.#counts.set(key, { partition, key, entry, unwritten: 0, minute })
    if (this.#counts.size > MAX_COUNTED) this.#writeOldest()
    await ledger.record({ partition, key, entry })
  }

  /** Writes all counts, and waits for all writes. Never rejects. */
  async flush(): Promise<void> {
    for (const count of this.#counts.values()) this.#write(count)
    await Promise.all(this.#writes)
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #startTimer(now: Millis): void {
    if (this.#timer !== undefined) return
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined
        for (const count of this.#counts.values()) this.#write(count)
      },
      MINUTE_MS - (now % MINUTE_MS),
    )
    this.#timer.unref?.()
  }

  #writeEnded(minute: number): void {
    for (const [key, count] of this.#counts) {
      if (count.minute === minute) return
      this.#write(count)
      this.#counts.delete(key)
    }
  }

  #writeOldest(): void {
    const [key, count] = this.#counts.entries().next().value!
    this.#write(count)
    this.#counts.delete(key)
  }

  #write(count: DenialCount): void {
    const { partition, key, entry, unwritten } = count
    if (unwritten === 0) return
    count.unwritten = 0
    const write = this.#services.store.ledger!.record({ partition, key, entry: { ...entry, count: unwritten } }).then(
      () => {},
      (error: unknown) => this.#services.warn(`${unwritten} denials could not be recorded in the usage ledger.`, error),
    )
    this.#track(write)
  }

  #track(write: Promise<void>): void {
    this.#writes.add(write)
    void write.finally(() => this.#writes.delete(write))
  }
}
