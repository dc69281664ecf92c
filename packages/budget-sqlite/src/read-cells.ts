import type { CellState } from "@p2/budget"
import { cellOf, SELECT_CELL } from "./batch"
import type { Connection } from "./connection"
import { nowIn } from "./open-file"
import type { StoreSettings } from "./sqlite-store"

const COUNT_DUE = "SELECT count(*) AS due FROM p2_ids WHERE root = ? AND state = 'held' AND lease_end <= ?"

/** The cells as they stand. Writes nothing; an unseen key is zeros. */
export function readCells(
  connection: Connection,
  settings: StoreSettings,
  root: string,
  keys: readonly string[],
): { now: number; due: number; cells: CellState[] } {
  const now = nowIn(connection, settings, false)
  const due = connection.get<{ due: number }>(COUNT_DUE, root, now)?.due ?? 0
  const cells = keys.map((key) => {
    const row = connection.get<Parameters<typeof cellOf>[0] & object>(SELECT_CELL, root, key)
    const { spent, reserved, granted } = cellOf(row, key, now, settings.retentionMs)
    return { key, spent, reserved, granted }
  })
  return { now, due, cells }
}
