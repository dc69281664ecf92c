import { type Expired, StoreError, type UsageDraft, type UsageEntry } from "@p2/budget"
import { type Batch, type IdRecord, parsed } from "./batch"

export function isDue(record: IdRecord, now: number): boolean {
  return record.state === "held" && record.leaseEnd <= now
}

/** Ends these leases: each is charged what it said it would be, and its draft becomes its usage entry. */
export function expireDue(batch: Batch, root: string, ids: readonly string[]): Expired[] {
  return ids.flatMap((id) => {
    try {
      return [expire(batch, root, id)]
    } catch (error) {
      // A damaged lease stays as it is: it must not stop the others, and its own calls say what is wrong.
      if (error instanceof StoreError && error.code === "corrupt") return []
      throw error
    }
  })
}

function expire(batch: Batch, root: string, id: string): Expired {
  const record = batch.record(root, id)
  if (record?.state !== "held") throw new Error(`the id ${id} is not held`)
  for (const [key] of record.cells) batch.load(root, key)
  const draft = record.draft === null ? null : (parsed(record.draft, id) as UsageDraft)
  const cells = record.cells.map(([key, reserved, onExpire, endsAt, keepMs]) => ({
    ...batch.change(root, { key, endsAt, keepMs }, { spent: onExpire, reserved: -reserved }),
    charged: onExpire,
  }))
  const charged = record.cells.map(([key, , onExpire]): [string, number] => [key, onExpire])
  const { fingerprint, leaseEnd } = record
  const resolved = { state: "expired", fingerprint, leaseEnd, revision: -1, cells: charged } as const
  batch.resolve(root, id, true, resolved, batch.now + batch.retentionMs)
  if (draft !== null) {
    const { expireCostNanoUsd: costNanoUsd = draft.reservedNanoUsd, ...attempt } = draft
    const costSource = draft.expireCostNanoUsd === 0 ? "none" : "bound"
    const entry: UsageEntry = { ...attempt, status: "expired", tokens: {}, costNanoUsd, costSource }
    batch.entries.write(root, id, entry, {
      charges: Object.fromEntries(charged),
      revision: 0,
    })
  }
  return { id, cells }
}
