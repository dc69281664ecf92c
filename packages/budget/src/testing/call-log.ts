import type { BudgetStore } from "../store/budget-store"
import { LEDGER_MEMBERS, STORE_MEMBERS } from "./check-suite"
import { canonical, describeError } from "./expect"

const MAX_CALLS = 6
const MAX_CHARACTERS = 300

/** Fields that a failure names where they matter, and which would hide the others. */
const OMITTED = { partition: undefined, entry: undefined, pendingEntry: undefined }

type Members = Record<string, (request: unknown) => Promise<unknown>>

interface RecordedCall {
  call: string
  request: unknown
  /** The reply or the error; absent while the call waits. */
  end?: () => string
}

/** The latest calls of a case, which a failure prints. */
export class CallLog {
  readonly #calls: RecordedCall[] = []

  /** The same store, whose calls are recorded. */
  record(store: BudgetStore): BudgetStore {
    const { ledger } = store
    return {
      ...store,
      ...this.#recorded(store as unknown as Members, STORE_MEMBERS, ""),
      ...(ledger && { ledger: this.#recorded(ledger as unknown as Members, LEDGER_MEMBERS, "ledger.") }),
    } as BudgetStore
  }

  #recorded(owner: Members, members: readonly string[], prefix: string): Members {
    const recorded = members.map((member) => [
      member,
      async (request: unknown) => {
        const entry: RecordedCall = { call: `${prefix}${member}`, request }
        this.#calls.push(entry)
        if (this.#calls.length > MAX_CALLS) this.#calls.shift()
        try {
          const reply = await owner[member]!(request)
          entry.end = () => canonical(reply)
          return reply
        } catch (error) {
          entry.end = () => describeError(error)
          throw error
        }
      },
    ])
    return Object.fromEntries(recorded)
  }

  /** Each call and its reply, the newest last. */
  describe(): string {
    const cut = (line: string) => (line.length > MAX_CHARACTERS ? `${line.slice(0, MAX_CHARACTERS)}…` : line)
    const lines = this.#calls.map(
      ({ call, request, end }) =>
        `  ${call} ${cut(canonical({ ...(request as object), ...OMITTED }))}\n    → ${cut(end?.() ?? "no reply yet")}`,
    )
    return `The last calls, the newest last:\n${lines.join("\n")}`
  }
}
