import { InvalidArgumentError, P2Error } from "@p2/core"
import type { BudgetStore } from "./budget-store"
import { ledgerShapes, type MemberShapes, storeShapes } from "./member-shapes"
import { check, type Defect, integerFrom, MAX_TIMER_MS, objectOf, string } from "./shape"
import { corrupt, StoreError, unavailable } from "./store-error"

/** Sums over many entries may take longer than a reserve. */
const LEDGER_QUERY_TIMEOUT_MS = 30_000
const MAX_MESSAGE_LENGTH = 500

export interface CheckedStoreOptions {
  /** Skips the validation of requests. For the budget, which builds them from validated values. @defaultValue false */
  trustsRequests?: boolean | undefined
}

/**
 * Wraps a store for its callers: requests and replies are validated, no call takes longer than the store's own timeout, and
 * every rejection is a `StoreError` or a usage error. A request belongs to the store: do not change it after the call.
 *
 * @throws InvalidArgumentError if it is not a store
 */
export function checkedStore(store: BudgetStore, { trustsRequests = false }: CheckedStoreOptions = {}): BudgetStore {
  checkStore(store)
  const { name, capabilities, ledger } = store
  const { maxCounters, timeoutMs } = capabilities
  const members = checkedMembers(store, storeShapes(maxCounters), () => ({ store: name, timeoutMs, trustsRequests }))
  const queryMs = LEDGER_QUERY_TIMEOUT_MS
  const ledgerMembers =
    ledger &&
    checkedMembers(ledger, ledgerShapes, (member) => ({
      store: name,
      timeoutMs: member === "record" ? timeoutMs : queryMs,
      trustsRequests,
    }))
  return { name, capabilities, ...members, ledger: ledgerMembers, close: async () => store.close?.() }
}

interface CallOptions {
  store: string
  timeoutMs: number
  trustsRequests: boolean
}

type Call = (request: unknown) => Promise<unknown>

function checkedMembers<Owner extends object, Member extends keyof Owner & string>(
  owner: Owner,
  shapes: { readonly [Each in Member]: unknown },
  optionsOf: (member: Member) => CallOptions,
): Pick<Owner, Member> {
  const members = (Object.keys(shapes) as Member[]).map((member) => {
    const send: Call = (request) => (owner[member] as Call)(request)
    return [member, checkedCall(send, shapes[member] as MemberShapes<unknown, unknown>, optionsOf(member))]
  })
  return Object.fromEntries(members) as Pick<Owner, Member>
}

function checkedCall(send: Call, shapes: MemberShapes<unknown, unknown>, options: CallOptions): Call {
  const { store, timeoutMs, trustsRequests } = options
  return (request = {}) =>
    new Promise((resolve, reject) => {
      let isOver = false
      let timer: ReturnType<typeof setTimeout> | undefined
      const end = () => {
        isOver = true
        if (timer !== undefined) clearTimeout(timer)
      }
      const fail = (error: unknown) => {
        end()
        reject(toStoreError(error, store))
      }
      const finish = (reply: unknown) => {
        end()
        const defect = shapes.reply(reply, request)
        if (defect === undefined) resolve(reply)
        else reject(invalidReply(store, defect))
      }
      try {
        if (!trustsRequests) check(request, shapes.request)
        Promise.resolve(send(request)).then(finish).catch(fail)
      } catch (error) {
        fail(error)
      }
      // A store in memory has replied by then and needs no timer.
      void Promise.resolve().then(() => {
        if (isOver) return
        const late = () => reject(unavailable(`Store "${store}" did not reply within ${timeoutMs} ms.`, "maybe"))
        timer = setTimeout(late, timeoutMs)
        timer.unref?.()
      })
    })
}

function invalidReply(store: string, defect: Defect): StoreError {
  const what = defect.path === "" ? "it" : `\`${defect.path.slice(1)}\``
  return corrupt(`Store "${store}" returned an invalid reply: ${what} is not ${defect.expected}.`, "maybe")
}

/** An error that a store rejected with, as a `StoreError`. Usage errors, for example of a cursor, stay unchanged. */
function toStoreError(error: unknown, store: string): Error {
  if (StoreError.isInstance(error) || (P2Error.isInstance(error) && error.kind === "usage")) return error
  return unavailable(
    `Store "${store}" failed with an unexpected error. See \`error.cause\`.`,
    "maybe",
    bareCause(error),
  )
}

/** Name, code, message and stack of an error. Drivers attach statements and arguments, which may contain prompts. */
function bareCause(error: unknown): unknown {
  if (!(error instanceof Error)) return undefined
  const cause = new Error(error.message.slice(0, MAX_MESSAGE_LENGTH))
  cause.name = error.name
  if (error.stack !== undefined) cause.stack = error.stack.slice(0, 10 * MAX_MESSAGE_LENGTH)
  const { code } = error as { code?: unknown }
  return typeof code === "string" || typeof code === "number" ? Object.assign(cause, { code }) : cause
}

const capabilities = objectOf({
  retentionMs: integerFrom(1),
  maxCounters: integerFrom(16),
  timeoutMs: integerFrom(1, MAX_TIMER_MS),
})

function checkStore(store: BudgetStore): void {
  if (typeof store !== "object" || store === null || store instanceof Promise)
    throw new InvalidArgumentError("store", "a budget store, such as memoryStore()", store)
  check(store.name, string, "store.name")
  for (const member of Object.keys(storeShapes(1)) as (keyof BudgetStore)[])
    if (typeof store[member] !== "function")
      throw new InvalidArgumentError(`store.${member}`, "a function: is this a budget store?", store[member])
  check(store.capabilities, capabilities, "store.capabilities")
}
