import { StoreError } from "@p2/budget"
import type { Connection } from "./connection"
import type { EntryRow } from "./entry-row"
import type { EntryWriter } from "./entry-writer"

/** Tables whose rows have an end of their own, with the condition under which a row is over. */
const TABLES = [
  {
    table: "p2_cells",
    name: "key",
    over: "reserved = 0 AND (ends_at <= ? OR (ends_at IS NULL AND touched_at + keep_ms <= ?))",
    values: (now: number, retentionMs: number) => [now - retentionMs, now],
  },
  { table: "p2_ids", name: "id", over: "forget_at <= ?", values: (now: number) => [now] },
  { table: "p2_adjustments", name: "id", over: "forget_at <= ?", values: (now: number) => [now] },
] as const

/** Rows looked at in a step: more than the operations between two steps can make. */
const ROWS_A_STEP = 1_024
const OPERATIONS_A_STEP = 64
const ENTRIES_A_STEP = 256

/**
 * Removes what is over, a little with every few operations: it walks each table in the order of its key and goes on
 * where it stopped, so that no index and no timer is needed. What is over already reads as absent, so this may be late.
 */
export class Housekeeping {
  readonly #places = TABLES.map(() => ({ root: "", name: "" }))
  readonly #retentionMs: number
  readonly #ledgerRetentionMs: number | null
  #operations = 0

  constructor(retentionMs: number, ledgerRetentionMs: number | null) {
    this.#retentionMs = retentionMs
    this.#ledgerRetentionMs = ledgerRetentionMs
  }

  /** To be called with every operation that writes. */
  tick(): void {
    this.#operations++
  }

  /** Makes the transaction at hand take a step at its end. */
  askForStep(): void {
    this.#operations = OPERATIONS_A_STEP
  }

  /** At the end of a transaction: a step when it is time for one. */
  step(connection: Connection, now: number, entries: EntryWriter): void {
    if (this.#operations < OPERATIONS_A_STEP) return
    this.#operations = 0
    try {
      this.#run(connection, now, entries)
    } catch (error) {
      // A damaged row is found by whoever asks for it. Those who only passed by must not fail of it.
      if (!(error instanceof StoreError && error.code === "corrupt")) throw error
    }
  }

  #run(connection: Connection, now: number, entries: EntryWriter): void {
    for (const index of TABLES.keys()) this.#walk(connection, index, now)
    if (this.#ledgerRetentionMs === null) return
    const oldest = connection.all<EntryRow>(`SELECT * FROM p2_entries ORDER BY seq LIMIT ${ENTRIES_A_STEP}`)
    // The file's time never goes back, so that entries stand in order of time.
    entries.remove(oldest.filter((row) => row.at < now - this.#ledgerRetentionMs!))
  }

  #walk(connection: Connection, index: number, now: number): void {
    const { table, name, over, values } = TABLES[index]!
    const from = this.#places[index]!
    const end = connection.get<{ root: string; name: string }>(
      `SELECT root, ${name} AS name FROM ${table} WHERE (root, ${name}) > (?, ?) ORDER BY root, ${name} LIMIT 1 OFFSET ${ROWS_A_STEP - 1}`,
      from.root,
      from.name,
    )
    const upTo = end === undefined ? "" : `AND (root, ${name}) <= (?, ?)`
    connection.run(
      `DELETE FROM ${table} WHERE (root, ${name}) > (?, ?) ${upTo} AND ${over}`,
      from.root,
      from.name,
      ...(end === undefined ? [] : [end.root, end.name]),
      ...values(now, this.#retentionMs),
    )
    this.#places[index] = end === undefined ? { root: "", name: "" } : { root: end.root, name: end.name }
  }
}
