import { setTimeout as pause } from "node:timers/promises"
import { InvalidArgumentError } from "@p2/core"
import { Batch, corruptRow } from "./batch"
import { Connection, openPath } from "./connection"
import { EntryWriter } from "./entry-writer"
import { FileIdentity } from "./file-identity"
import { Housekeeping } from "./housekeeping"
import { prepareFile, SCHEMA_VERSION, tooNew } from "./schema"
import { isBusy, toStoreError } from "./sqlite-errors"
import type { StoreSettings } from "./sqlite-store"
import { Transactions } from "./transactions"

export interface OpenFile {
  connection: Connection
  write: Transactions<Batch>
  read: Transactions<Connection>
}

const SELECT_NOW = "SELECT now, version FROM p2_meta"
const UPDATE_NOW = "UPDATE p2_meta SET now = ?"

/** Opens the file and brings its tables to this version, waiting while other processes do the same. */
export async function openFile(settings: StoreSettings): Promise<OpenFile> {
  const { location } = settings
  const connection =
    "path" in location ? await openPath(location.path) : new Connection(location.database, false, "The database")
  try {
    await prepare(connection, settings)
  } catch (error) {
    connection.abandon()
    throw toStoreError(error, "no", "path" in location ? `opening ${location.path}` : "opening the database")
  }
  const isOwn = "path" in location && location.path !== ":memory:"
  const identity = isOwn ? new FileIdentity(location.path, settings.now()) : undefined
  const housekeeping = new Housekeeping(settings.retentionMs, settings.ledgerRetentionMs)
  return {
    connection,
    write: new Transactions(
      connection,
      {
        begin: "BEGIN IMMEDIATE",
        enter: () => {
          identity?.check(settings.now())
          const now = nowIn(connection, settings, true)
          return new Batch(connection, now, settings.retentionMs, new EntryWriter(connection, now), housekeeping)
        },
        leave: (batch) => batch.finish(),
      },
      settings.timeoutMs,
    ),
    read: new Transactions(
      connection,
      {
        begin: "BEGIN",
        enter: () => {
          identity?.check(settings.now())
          return connection
        },
        leave: () => undefined,
      },
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
  const { now: stored, version } = connection.get<{ now: number; version: number }>(SELECT_NOW) ?? {}
  // Another process, of a newer version of this package, may have the same file open.
  if (version !== undefined && version > SCHEMA_VERSION) throw tooNew(connection, version)
  if (!Number.isSafeInteger(stored)) throw corruptRow("the file's time")
  const clock = Math.trunc(settings.now())
  if (!Number.isSafeInteger(clock)) throw new InvalidArgumentError("options.now", "to return epoch milliseconds", clock)
  const now = Math.max(clock, stored!)
  if (write && now > stored!) connection.run(UPDATE_NOW, now)
  return now
}
