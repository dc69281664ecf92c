import { statSync } from "node:fs"
import { resolve } from "node:path"
import { StoreError } from "@p2/budget/store"

/** How often the folder is looked at: a look costs a few microseconds. */
const EVERY_MS = 1_000

/**
 * Whether the path still leads to the file that is open, and to its log. A file that was deleted or replaced goes on
 * working for whoever has it open, and what is counted in it nobody else sees.
 */
export class FileIdentity {
  readonly #path: string
  readonly #known: string | undefined
  /** Undefined until there was a log. */
  #log: string | undefined
  #lookedAt: number

  /** Of a file that was opened just now. */
  constructor(path: string, now: number) {
    this.#path = resolve(path)
    this.#known = identityOf(this.#path)
    this.#log = identityOf(`${this.#path}-wal`)
    this.#lookedAt = now
  }

  /** @throws StoreError */
  check(now: number): void {
    if (now >= this.#lookedAt && now < this.#lookedAt + EVERY_MS) return
    const log = identityOf(`${this.#path}-wal`)
    this.#log ??= log
    if (identityOf(this.#path) !== this.#known || log !== this.#log) throw replaced()
    // Only now: until it is put right, each call looks.
    this.#lookedAt = now
  }
}

function identityOf(path: string): string | undefined {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false })
  return found && `${found.dev}/${found.ino}`
}

function replaced(): StoreError {
  return new StoreError(
    "The file, or its log beside it, was moved, deleted or replaced while it was open. Nothing was applied; put the file back, or make a new store of what stands there now.",
    { code: "store-misconfigured", applied: "no" },
  )
}
