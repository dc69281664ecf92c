import { setTimeout as pause } from "node:timers/promises"
import { InvalidArgumentError } from "@p2/core"
import { Batch, corruptRow } from "./batch"
import { Connection, openPath } from "./connection"
import { EntryWriter } from "./entry-writer"
import { Housekeeping } from "./housekeeping"
import { prepareFile } from "./schema"
import { isBusy, toStoreError } from "./sqlite-errors"
import type { StoreSettings } from "./sqlite-store"
import { Transactions } from "./transactions"

export interface OpenFile {
  connection: Connection
  write: Transactions<Batch>
  read: Transactions<Connection>
}

const SELECT_NOW = "SELECT now FROM p2_meta"
const UPDATE_NOW = "UPDATE p2_meta SET now = ?"

/** Opens the file and brings its tables to this version, waiting while other processes do the same. */
export async function openFile(settings: StoreSettings): Promise<OpenFile> {
  const { location } = settings
  const connection = "path" in location ? await openPath(location.path) : new Connection(location.database, false)
  try {
    await prepare(connection, settings)
  } catch (error) {
    connection.abandon()
    throw toStoreError(error, "no", "opening the file")
  }
  const housekeeping = new Housekeeping(settings.retentionMs, settings.ledgerRetentionMs)
  return {
    connection,
    write: new Transactions(
      connection,
      {
        begin: "BEGIN IMMEDIATE",
        enter: () => {
          const now = nowIn(connection, settings, true)
          return new Batch(connection, now, settings.retentionMs, new EntryWriter(connection, now), housekeeping)
        },
        leave: (batch) => batch.finish(),
      },
      settings.timeoutMs,
    ),
    read: new Transactions(
      connection,
      { begin: "BEGIN", enter: () => connection, leave: () => undefined },
      settings.timeoutMs,
    ),
  }
}

async function prepare(connection: Connection, settings: StoreSettings): Promise<void> {
  const deadline = performance.now() + settings.timeoutMs
  for (;;) {
    try {
      prepareFile(connection, settings.synchronous)
      return
    } catch (error) {
      if (!isBusy(error) || performance.now() >= deadline) throw error
      await pause(1 + Math.random() * 16)
    }
  }
}

/** The file's time: the clock, or the last time that the file has seen where the clock went back. */
export function nowIn(connection: Connection, settings: StoreSettings, write: boolean): number {
  const stored = connection.get<{ now: number }>(SELECT_NOW)?.now
  if (!Number.isSafeInteger(stored)) throw corruptRow("the file's time")
  const clock = Math.trunc(settings.now())
  if (!Number.isSafeInteger(clock)) throw new InvalidArgumentError("options.now", "to return epoch milliseconds", clock)
  const now = Math.max(clock, stored!)
  if (write && now > stored!) connection.run(UPDATE_NOW, now)
  return now
}
