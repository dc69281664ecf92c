import { checkOptions } from "@p2/core"
import type { BudgetContext } from "../api/budget-context"
import { ReservationResolvedError, UnknownReservationError } from "../api/budget-errors"
import type { Amount } from "../limits/amount"
import { type CounterNameParts, counterRefOf, readCounterName } from "../limits/counter-name"
import { toName } from "../limits/names"
import { checkSubject, type Subject, type Unit } from "../limits/subject"
import type { Name } from "../store/name"
import { StoreError } from "../store/store-error"
import { attemptEntry } from "../usage/attempt-entry"
import { HeldReservation } from "./held-reservation"

const RESUME_NAMES: ReadonlySet<string> = new Set(["subject"])

/** Restores a reservation that another process made from the store's record. */
export async function resume(
  context: BudgetContext,
  key: string,
  options: { subject?: Subject | undefined },
): Promise<HeldReservation> {
  checkOptions(options, RESUME_NAMES)
  const { subject = {} } = options
  checkSubject(subject)
  context.throwIfClosed()
  const idempotencyKey = toName(key, "idempotencyKey")
  const partition = context.partitionOf(subject)
  const { leaseMs, maxLeaseMs, store } = context
  await context.requireChecked()
  const reply = await store.extend({ partition, key: idempotencyKey, leaseMs })
  if (reply.status === "unknown") throw new UnknownReservationError(idempotencyKey)
  if (reply.status !== "held") throw new ReservationResolvedError(idempotencyKey, reply.status)
  const { expiresAt, fingerprint } = reply
  const counters = reply.counters.map(({ name, amount }) => ({ name, amount, parts: readName(store.name, name) }))
  const amountIn = (unit: Unit) => counters.find(({ parts }) => parts.unit === unit)?.amount
  const amount: Amount = {
    nanoUsd: amountIn("nanoUsd"),
    tokens: amountIn("tokens"),
    requests: amountIn("requests") ?? 1,
  }
  const known = { ...subjectOf(counters.map(({ parts }) => parts)), ...subject }
  const entry = attemptEntry(known, { idempotencyKey, amount, fingerprint, entry: {} })
  const content = { idempotencyKey, partition, fingerprint, amount, entry, leaseMs, maxLeaseMs }
  return new HeldReservation(context, content, {
    counters: counters.map(({ name, parts }) => ({ ...counterRefOf(name, parts), unit: parts.unit })),
    expiresAt,
    replayed: true,
    limits: () => [],
  })
}

function readName(store: string, name: Name): CounterNameParts {
  const parts = readCounterName(name)
  if (parts !== undefined) return parts
  throw new StoreError(`The store "${store}" has a reservation in the counter "${name}", which no budget created.`, {
    code: "store-corrupt",
    applied: "no",
  })
}

/** The subject, as far as the names of the counters contain it. */
function subjectOf(counters: readonly CounterNameParts[]): Subject {
  const valueIn = (scope: CounterNameParts["scope"]) =>
    counters.find((counter) => counter.scope === scope)?.value ?? undefined
  const tags = counters.flatMap(({ tag, value }) => (tag === undefined || value == null ? [] : [[tag, value]]))
  return {
    requestId: valueIn("request"),
    userId: valueIn("user"),
    clientId: valueIn("client"),
    model: valueIn("model"),
    ...(tags.length > 0 && { tags: Object.fromEntries(tags) }),
  }
}
