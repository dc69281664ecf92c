import type { Budget, Limit, StoredEntry, Subject } from "@p2/budget"
import type { Message } from "@p2/core"

/** One item in a batch: the id and the budget of its call. */
export interface BatchItem {
  requestId: string
  /** Higher than 1 if the item was tried in an earlier run. */
  firstAttempt: number
  /** The batch has a name: another run can resume the item. */
  isResumable: boolean
  budget: Budget
  subject: Subject
  limits: readonly Limit[]
  /** Undefined: the item was not tried. */
  earlier: EarlierRun | undefined
}

/** Gives the items of a batch their ids and one budget, and reads what earlier runs of the batch left in the ledger. */
export async function openBatch(
  opened: Pick<BatchItem, "budget" | "subject" | "limits">,
  options: {
    /** Undefined: the batch cannot be resumed. */
    name: string | undefined
    maxBudget: number | string | undefined
    /** What decides an answer in addition to the conversation: the models, the system message, the schema. */
    decisive: readonly (string | null | undefined)[]
    conversations: readonly (readonly Message[])[]
  },
): Promise<BatchItem[]> {
  const { name, maxBudget, decisive, conversations } = options
  const { limits } = opened
  // Batches of two users are separate batches, even if they have the same name.
  const owner = [name, opened.subject.userId ?? null, opened.subject.clientId ?? null]
  const id = name === undefined ? crypto.randomUUID() : await hashText(JSON.stringify(owner))
  // The counter of a named batch is the same in every run.
  const budget = maxBudget === undefined ? opened.budget : opened.budget.child({ limit: maxBudget, id: `batch-${id}` })
  if (name === undefined) {
    const place = { firstAttempt: 1, isResumable: false, budget, subject: opened.subject, limits, earlier: undefined }
    return conversations.map(() => ({ requestId: crypto.randomUUID(), ...place }))
  }
  const subject = { ...opened.subject, tags: { ...opened.subject.tags, [BATCH_TAG]: name } }
  // Expires the reservations of a process that has ended, so that its items count as tried and are called again.
  await budget.sweep({ subject })
  const runs = await readEarlierRuns(budget, subject, name)
  const ids = await requestIds([...owner, ...decisive], conversations)
  return ids.map((requestId) => {
    const earlier = runs.get(requestId)
    const firstAttempt = (earlier?.attempts ?? 0) + 1
    return { requestId, firstAttempt, isResumable: true, budget, subject, limits, earlier }
  })
}

/** What earlier runs of a batch left in the ledger for one item. */
export interface EarlierRun {
  /** Number of its last attempt. */
  attempts: number
  /** The text of its answer; undefined: it has none, or the text was too long for the ledger. */
  text: string | undefined
  costNanoUsd: number
}

/** The tag of the entries of a batch. */
const BATCH_TAG = "batch"

const PAGE = 1_000

/** Reads the ledger entries of earlier runs of a batch, by request id. @throws NoLedgerError, StoreError */
async function readEarlierRuns(budget: Budget, subject: Subject, name: string): Promise<Map<string, EarlierRun>> {
  const runs = new Map<string, EarlierRun>()
  let cursor: string | null = null
  do {
    const filter = { tag: { name: BATCH_TAG, value: name } }
    const page: { entries: StoredEntry[]; cursor: string | null } = await budget.usage.list({
      ...{ subject, filter, cursor, limit: PAGE },
    })
    for (const { requestId, attempt, status, answer, costNanoUsd } of page.entries) {
      const run = runs.get(requestId) ?? { attempts: 0, text: undefined, costNanoUsd: 0 }
      runs.set(requestId, {
        attempts: Math.max(run.attempts, attempt),
        text: status === "succeeded" ? (answer ?? run.text) : run.text,
        costNanoUsd: run.costNanoUsd + costNanoUsd,
      })
    }
    cursor = page.cursor
  } while (cursor !== null)
  return runs
}

/**
 * The id of each item: a hash of what decides its answer, so that it stays the same when other items are added, and
 * changes with the item. Equal items are numbered.
 */
async function requestIds(
  common: readonly unknown[],
  conversations: readonly (readonly Message[])[],
): Promise<string[]> {
  const seen = new Map<string, number>()
  const ids: string[] = []
  for (const messages of conversations) {
    const hash = await hashText(JSON.stringify([...common, messages]))
    const count = (seen.get(hash) ?? 0) + 1
    seen.set(hash, count)
    ids.push(`${hash}-${count}`)
  }
  return ids
}

/** The first 128 bits of a string's SHA-256, in hexadecimal. */
async function hashText(text: string): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))
  return Array.from(new Uint8Array(hash, 0, 16), (byte) => byte.toString(16).padStart(2, "0")).join("")
}
