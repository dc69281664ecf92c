import { StoreError } from "@p2/budget"
import { P2Error } from "@p2/core"
import type { Connection } from "./connection"
import { isBusy, sqliteCode, toStoreError } from "./sqlite-errors"

/** Most operations in one transaction, so that the event loop is never held for long. */
const MAX_OPERATIONS = 128

export interface TransactionKind<Context> {
  begin: "BEGIN IMMEDIATE" | "BEGIN"
  /** What an operation works with, made when the transaction has begun. */
  enter(connection: Connection): Context
  /** Before the transaction is committed. */
  leave(context: Context, connection: Connection): void
}

interface Operation<Context> {
  doing: string
  apply(context: Context): unknown
  resolve(value: never): void
  reject(error: unknown): void
  /** By the monotonic clock. */
  deadline: number
}

/**
 * Runs operations in transactions: those that arrive in one turn of the event loop share one. When another connection
 * holds the lock they wait with a timer, never inside SQLite, and take along what arrives meanwhile.
 */
export class Transactions<Context> {
  readonly #connection: Connection
  readonly #kind: TransactionKind<Context>
  readonly #timeoutMs: number
  #waiting: Operation<Context>[] = []
  #scheduled = false
  #failedBegins = 0
  #idle: (() => void)[] = []

  constructor(connection: Connection, kind: TransactionKind<Context>, timeoutMs: number) {
    this.#connection = connection
    this.#kind = kind
    this.#timeoutMs = timeoutMs
  }

  run<T>(doing: string, apply: (context: Context) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ doing, apply, resolve, reject, deadline: performance.now() + this.#timeoutMs })
      this.#schedule()
    })
  }

  /** Resolves when nothing waits any more. */
  drained(): Promise<void> {
    return this.#waiting.length === 0 ? Promise.resolve() : new Promise((resolve) => this.#idle.push(resolve))
  }

  #schedule(delayMs = 0): void {
    if (this.#scheduled || this.#waiting.length === 0) return
    this.#scheduled = true
    const flush = () => {
      this.#scheduled = false
      this.#flush()
    }
    if (delayMs > 0) setTimeout(flush, delayMs)
    else setImmediate(flush)
  }

  #flush(): void {
    const operations = this.#waiting.splice(0, MAX_OPERATIONS)
    const begun = this.#begin()
    if (begun.state === "begun") this.#perform(operations)
    else if (begun.state === "busy") this.#putBack(operations, begun.error)
    else for (const one of operations) one.reject(toStoreError(begun.error, "no", one.doing))
    this.#schedule(begun.state === "busy" ? this.#pauseMs() : 0)
    if (this.#waiting.length === 0) for (const resolve of this.#idle.splice(0)) resolve()
  }

  #begin(): { state: "begun" } | { state: "busy" | "failed"; error: unknown } {
    try {
      this.#connection.begin(this.#kind.begin)
      this.#failedBegins = 0
      return { state: "begun" }
    } catch (error) {
      this.#failedBegins++
      return { state: isBusy(error) ? "busy" : "failed", error }
    }
  }

  /** Full jitter, over a range that doubles up to 16 ms: a transaction of others takes less than a millisecond. */
  #pauseMs(): number {
    return 1 + Math.random() * Math.min(16, 2 ** Math.min(this.#failedBegins, 4))
  }

  #putBack(operations: Operation<Context>[], error: unknown): void {
    const now = performance.now()
    const late = operations.filter((one) => one.deadline <= now)
    this.#waiting.unshift(...operations.filter((one) => one.deadline > now))
    for (const one of late) {
      const message = `SQLite: another connection, or a transaction of your own, held the lock for the ${this.#timeoutMs} ms that ${one.doing} may wait.`
      one.reject(new StoreError(message, { code: "unavailable", applied: "no", cause: error }))
    }
  }

  /** The transaction has begun. Answers are given only after it is committed. */
  #perform(operations: Operation<Context>[]): void {
    const answers: (() => void)[] = []
    let committing = false
    try {
      const context = this.#kind.enter(this.#connection)
      for (const one of operations) answers.push(answerOf(one, context))
      this.#kind.leave(context, this.#connection)
      committing = true
      this.#connection.exec("COMMIT")
    } catch (error) {
      this.#rollback()
      this.#fail(operations, error, committing)
      return
    }
    for (const answer of answers) answer()
  }

  #rollback(): void {
    try {
      this.#connection.exec("ROLLBACK")
    } catch {
      // SQLite has rolled back by itself, as it does when the disk is full.
    }
  }

  /** One operation that SQLite refuses must not take along those that only shared its turn: each is tried alone. */
  #fail(operations: Operation<Context>[], error: unknown, committing: boolean): void {
    const applied = committing && sqliteCode(error) !== 13 ? "maybe" : "no"
    if (operations.length === 1 || applied === "maybe") {
      for (const one of operations) one.reject(toStoreError(error, applied, one.doing))
      return
    }
    for (const [index, one] of operations.entries()) {
      const begun = this.#begin()
      if (begun.state === "begun") this.#perform([one])
      else if (begun.state === "busy") {
        this.#putBack(operations.slice(index), begun.error)
        return
      } else one.reject(toStoreError(begun.error, "no", one.doing))
    }
  }
}

/** An operation that throws one of our own errors has changed nothing; any other error ends the transaction. */
function answerOf<Context>(one: Operation<Context>, context: Context): () => void {
  try {
    const value = one.apply(context)
    return () => one.resolve(value as never)
  } catch (error) {
    if (!P2Error.isInstance(error)) throw error
    return () => one.reject(error)
  }
}
