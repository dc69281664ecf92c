import { readFile, rename, writeFile } from "node:fs/promises"
import { StoreError } from "@p2/budget"
import type { Root } from "./root"

/** Every root by its name. Maps, not objects: `__proto__` is a name like any other. */
export type State = Map<string, Root>

/** One file that is read whole and replaced whole, one operation after the other. */
export class JsonFile {
  #last: Promise<unknown> = Promise.resolve()

  constructor(readonly path: string) {}

  /** Makes the file when there is none. After this its absence is a fault, not an empty budget. */
  async create(): Promise<void> {
    try {
      await writeFile(this.path, encode(new Map()), { flag: "wx" })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") return
      throw new StoreError(`Cannot make ${this.path}.`, { code: "misconfigured", applied: "no", cause: error })
    }
  }

  /** Runs `step` on the state, alone. When it throws, nothing is written: all or none. */
  update<T>(step: (state: State) => T): Promise<T> {
    return this.#alone(async () => {
      const before = await this.#load()
      const state = decode(before, this.path)
      const answer = step(state)
      const after = encode(state)
      if (after !== before) await this.#replace(after)
      return answer
    })
  }

  look<T>(step: (state: State) => T): Promise<T> {
    return this.#alone(async () => step(decode(await this.#load(), this.path)))
  }

  #alone<T>(run: () => Promise<T>): Promise<T> {
    const next = this.#last.then(run)
    this.#last = next.catch(() => undefined)
    return next
  }

  async #load(): Promise<string> {
    try {
      return await readFile(this.path, "utf8")
    } catch (error) {
      throw new StoreError(`Cannot read ${this.path}.`, { code: "unavailable", applied: "no", cause: error })
    }
  }

  /** Written beside and renamed over: a killed process leaves the old file or the new one, never half of it. */
  async #replace(text: string): Promise<void> {
    const beside = `${this.path}.new`
    try {
      await writeFile(beside, text)
    } catch (error) {
      throw new StoreError(`Cannot write ${beside}.`, { code: "unavailable", applied: "no", cause: error })
    }
    try {
      await rename(beside, this.path)
    } catch (error) {
      throw new StoreError(`Cannot replace ${this.path}.`, { code: "unavailable", applied: "maybe", cause: error })
    }
  }
}

function encode(state: State): string {
  return JSON.stringify(state, (_key, value) => (value instanceof Map ? { map: [...value] } : value))
}

function decode(text: string, path: string): State {
  try {
    return JSON.parse(text, (_key, value) => (Array.isArray(value?.map) ? new Map(value.map) : value))
  } catch (error) {
    throw new StoreError(`${path} is not JSON.`, { code: "corrupt", applied: "no", cause: error })
  }
}
