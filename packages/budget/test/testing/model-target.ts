import type { BudgetStore } from "../../src/store/budget-store"
import { StoreError } from "../../src/store/store-error"
import type { SuiteFactory } from "../../src/testing"
import { LEDGER_MEMBERS, STORE_MEMBERS } from "../../src/testing/check-suite"
import { type ModelOptions, ModelStore } from "../../src/testing/model"
import type { ModelState } from "../../src/testing/model-state"

/** The end of a month in UTC, where a wrong time zone shows. */
export const START = Date.UTC(2026, 0, 31, 23)
const LEDGER_RETENTION_MS = 40 * 86_400_000

export type ModelClass = new (options: ModelOptions) => ModelStore

/** The connection between the suite and the model, which faults break. */
export interface Line {
  isDown: boolean
  losesNextReply: boolean
}

export type Connect = (store: ModelStore, line: Line) => BudgetStore

/** Targets over the model, or over one that breaks a rule of it. */
export function modelFactory(Store: ModelClass = ModelStore, connect: Connect = connectThroughLine): SuiteFactory {
  return () => {
    let now = START
    const line: Line = { isDown: false, losesNextReply: false }
    const open = (state?: ModelState) => new Store({ clock: () => now, ledgerRetentionMs: LEDGER_RETENTION_MS, state })
    let model = open()
    return {
      store: connect(model, line),
      clock: {
        now: () => now,
        advance: (ms) => {
          now += ms
        },
      },
      size: () => model.size(),
      ledgerRetentionMs: LEDGER_RETENTION_MS,
      faults: {
        down: () => {
          line.isDown = true
        },
        up: () => {
          line.isDown = false
        },
        loseAnswer: () => {
          line.losesNextReply = true
        },
        damage: ({ partition, kind, key }) => {
          const state = model.state.get(partition)!
          if (kind === "reservation") state.reservations.set(key, null)
          else state.counters.get(key)!.spent = Number.NaN
        },
        restart: async () => {
          model = open(structuredClone(model.state))
          return connect(model, line)
        },
      },
    }
  }
}

export const connectThroughLine: Connect = (store, line) => ({
  name: store.name,
  capabilities: store.capabilities,
  ...through(store, STORE_MEMBERS, line),
  ledger: through(store.ledger, LEDGER_MEMBERS, line),
})

/** The members of a store or ledger, called through the line with copies of what travels. */
function through<Owner extends object, Member extends keyof Owner>(
  owner: Owner,
  members: readonly Member[],
  line: Line,
): Pick<Owner, Member> {
  const sent = members.map((member) => [
    member,
    async (request: unknown) => {
      if (line.isDown) throw new StoreError("The line is down.", { code: "store-unavailable", applied: "no" })
      const call = owner[member] as (request: unknown) => Promise<unknown>
      const reply = structuredClone(await call.call(owner, structuredClone(request)))
      if (!line.losesNextReply) return reply
      line.losesNextReply = false
      throw new StoreError("The reply was lost.", { code: "store-unavailable", applied: "maybe" })
    },
  ])
  return Object.fromEntries(sent) as Pick<Owner, Member>
}
