import type { StoredEntry, UsageFilter, UsageLedger } from "@p2/budget"
import { InvalidArgumentError } from "@p2/core"
import type { Batch } from "./batch"
import { checkEntry, checkName, checkNat, checkRoot } from "./check-request"
import type { Connection } from "./connection"
import { copyOfEntry } from "./copy-request"
import { type EntryRow, entryOf } from "./entry-row"
import { totals } from "./totals"
import { conditionOf, rangeOf } from "./usage-filter"

/** Most entries of one page; a larger limit gives this many and a cursor. */
const MAX_PAGE = 10_000
/** Entries that one transaction of `prune` removes. */
const PRUNE_STEP = 1_000

export interface LedgerAccess {
  write<T>(doing: string, apply: (batch: Batch) => T): Promise<T>
  read<T>(doing: string, apply: (connection: Connection) => T): Promise<T>
}

export function sqliteLedger(access: LedgerAccess): UsageLedger {
  return {
    async record({ root, id, entry }) {
      checkRoot(root)
      checkName("id", id, 64)
      checkEntry("entry", entry)
      const copy = copyOfEntry(entry)
      return access.write("recording an entry", (batch) => {
        batch.entries.write(root, id, copy, { charges: {}, revision: 0, keepKnown: true })
        return { now: batch.now }
      })
    },
    async get({ root, requestId }) {
      checkRoot(root)
      return access.read("reading a request", (connection) =>
        connection
          .all<EntryRow>(
            "SELECT * FROM p2_entries WHERE root = ? AND request_id = ? ORDER BY attempt, at, id",
            root,
            requestId,
          )
          .map(entryOf),
      )
    },
    async list(request) {
      checkRoot(request.root)
      checkNat("limit", request.limit, 1)
      const query = listQuery(request)
      return access.read("listing entries", (connection) => {
        const rows = connection.all<EntryRow>(query.sql, ...query.values)
        const entries = rows.slice(0, query.page).map(entryOf)
        return { entries, cursor: rows.length > query.page ? cursorOf(entries.at(-1)!) : null, dropped: 0 }
      })
    },
    async totals(request) {
      checkRoot(request.root)
      const copy = structuredClone(request)
      return access.read("summing entries", (connection) => totals(connection, copy))
    },
    async prune({ root, before }) {
      checkRoot(root)
      checkNat("before", before)
      let removed = 0
      for (let step = PRUNE_STEP; step === PRUNE_STEP; removed += step) {
        step = await access.write("pruning entries", (batch) => pruneStep(batch, root, before))
      }
      return { removed }
    },
  }
}

function pruneStep(batch: Batch, root: string, before: number): number {
  const rows = batch.connection.all<EntryRow>(
    `SELECT * FROM p2_entries WHERE root = ? AND at < ? ORDER BY at, id LIMIT ${PRUNE_STEP}`,
    root,
    before,
  )
  batch.entries.remove(rows)
  return rows.length
}

/** In order of (at, id), so that a write behind the cursor moves nothing. */
export function listQuery(request: {
  root: string
  filter: UsageFilter
  cursor?: string | undefined
  limit: number
  order?: "oldest" | "newest" | undefined
}) {
  const { root, filter, cursor, limit, order = "oldest" } = request
  if (order !== "oldest" && order !== "newest") {
    throw new InvalidArgumentError("order", '"oldest" or "newest"', order)
  }
  const condition = conditionOf(filter)
  const { from, to } = rangeOf(filter)
  const [comparison, direction] = order === "newest" ? ["<", "DESC"] : [">", "ASC"]
  const after = cursor === undefined ? [] : placeOf(cursor)
  const page = Math.min(limit, MAX_PAGE)
  return {
    page,
    sql: `SELECT * FROM p2_entries WHERE root = ? AND at >= ? AND at < ? ${condition.sql}
      ${cursor === undefined ? "" : `AND (at, id) ${comparison} (?, ?)`}
      ORDER BY at ${direction}, id ${direction} LIMIT ?`,
    values: [root, from, to, ...condition.values, ...after, page + 1],
  }
}

function cursorOf(entry: StoredEntry): string {
  return `${entry.at}/${entry.id}`
}

function placeOf(cursor: string): [number, string] {
  const match = /^(\d{1,16})\/([A-Za-z0-9_.:|=-]{1,64})$/.exec(cursor)
  if (match === null) throw new InvalidArgumentError("cursor", "one that `list` returned", cursor)
  return [Number(match[1]), match[2]!]
}
