import type { ReserveRequest, SettleRequest, UsageDraft } from "@p2/budget"

// An operation runs a turn later than it was asked for: what the caller changes meanwhile must not change it.

export function copyOfReserve(request: ReserveRequest): ReserveRequest {
  const cells = request.cells.map((cell) => ({ ...cell }))
  return { ...request, cells, ...(request.draft === undefined ? {} : { draft: copyOfDraft(request.draft) }) }
}

export function copyOfSettle(request: SettleRequest): SettleRequest {
  const cells = request.cells.map((cell) => ({ ...cell }))
  return { ...request, cells, ...(request.entry === undefined ? {} : { entry: copyOfEntry(request.entry) }) }
}

/** Entries are one level deep: tags, tokens and costs are records of strings or numbers. */
export function copyOfEntry<Entry extends NonNullable<SettleRequest["entry"]>>(entry: Entry): Entry {
  const copy = { ...copyOfDraft(entry), tokens: { ...entry.tokens } }
  if (entry.costs !== undefined) copy.costs = { ...entry.costs }
  return copy
}

function copyOfDraft<Draft extends UsageDraft>(draft: Draft): Draft {
  return draft.tags === undefined ? { ...draft } : { ...draft, tags: { ...draft.tags } }
}
