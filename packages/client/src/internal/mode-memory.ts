import type { AnswerMode } from "../receipt"

/** Most pairs of base URL and model that are remembered, oldest out first. */
const CAPACITY = 1_000

/** Which mode a model at a base URL took last, so that the next request starts there. */
export class ModeMemory {
  readonly #modes = new Map<string, AnswerMode>()

  /** The key is a route's `modeKey`. */
  get(key: string): AnswerMode | undefined {
    return this.#modes.get(key)
  }

  set(key: string, mode: AnswerMode): void {
    if (this.#modes.get(key) === mode) return
    this.#modes.delete(key)
    this.#modes.set(key, mode)
    if (this.#modes.size <= CAPACITY) return
    const [oldest] = this.#modes.keys()
    if (oldest !== undefined) this.#modes.delete(oldest)
  }
}

let memory: ModeMemory | undefined

/** The memory of this process: clients are short-lived, what a server can do is not. */
export function modeMemory(): ModeMemory {
  memory ??= new ModeMemory()
  return memory
}
