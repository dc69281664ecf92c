import { statSync } from "node:fs"
import { resolve } from "node:path"
import { StoreError } from "@p2/budget/store"

/** How often the path is checked. A check takes a few microseconds. */
const EVERY_MS = 1_000

/**
 * Checks that the path still leads to the open file, and to its log. A deleted or replaced file still works for processes
 * that have it open, but no other process sees what is counted in it.
 */
export class FileIdentity {
  readonly #path: string
  readonly #file: string | undefined
  /** Undefined until there is a log. */
  #log: string | undefined
  #checkedAt: number

  /** Remembers the identity of a file that was just opened. */
  constructor(path: string, now: number) {
    this.#path = resolve(path)
    this.#file = identityOf(this.#path)
    this.#log = identityOf(`${this.#path}-wal`)
    this.#checkedAt = now
  }

  /** @throws StoreError */
  check(now: number): void {
    if (now >= this.#checkedAt && now < this.#checkedAt + EVERY_MS) return
    const log = identityOf(`${this.#path}-wal`)
    this.#log ??= log
    if (identityOf(this.#path) !== this.#file || log !== this.#log) throw replacedError()
    // Set only after success: while the check fails, every call repeats it.
    this.#checkedAt = now
  }
}

function identityOf(path: string): string | undefined {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false })
  return found && `${found.dev}/${found.ino}`
}

function replacedError(): StoreError {
  return new StoreError(
    "The file or its log was moved, deleted or replaced while it was open. Nothing was applied. Put the file back, or create a new store with the file that is there now.",
    { code: "store-misconfigured", applied: "no" },
  )
}
