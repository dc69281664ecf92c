import { StoreError } from "@p2/budget/store"
import { pragma, type SqliteDatabase } from "./database"

/** Marks a file as ours (`PRAGMA application_id`): "p2bs" in ASCII. */
export const APPLICATION_ID = 0x70326273

/** Version of the tables: `p2_meta.version`, and `PRAGMA user_version` of a file of our own. */
export const SCHEMA_VERSION = 1

/** Maximum size of the log (`-wal`) after a checkpoint. The log grows while another connection reads. */
const MAX_IDLE_LOG_BYTES = 16 * 2 ** 20

/** The expression by which entries of one user or one request are indexed. Damaged entries have 0, which is not a string. */
const field = (name: string) => `CASE WHEN json_valid(value) THEN json_extract(value, '$.${name}') ELSE 0 END`

/** Step i takes a file from version i to version i + 1. A released step is never edited. */
const MIGRATIONS: readonly string[] = [
  `
CREATE TABLE p2_meta (one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL) STRICT;
INSERT INTO p2_meta VALUES (1, 1);
CREATE TABLE p2_records (
  partition TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, at INTEGER, forget_at INTEGER,
  PRIMARY KEY (partition, kind, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX p2_records_at ON p2_records (partition, kind, at, key) WHERE at IS NOT NULL;
CREATE INDEX p2_records_forget ON p2_records (forget_at) WHERE forget_at IS NOT NULL;
CREATE INDEX p2_records_user ON p2_records (partition, ${field("userId")}, at, key) WHERE kind = 'entry';
CREATE INDEX p2_records_request ON p2_records (partition, ${field("requestId")}, at, key) WHERE kind = 'entry';
`,
]

/** The indexed expressions, as queries must write them. */
export const INDEXED = { userId: field("userId"), requestId: field("requestId") } as const

/** The name of the database in errors, and whether the store owns its file. */
export interface DatabaseOrigin {
  name: string
  owned: boolean
}

interface FileState {
  applicationId: number
  userVersion: number
  tables: number
  version: number | null
}

function readState(database: SqliteDatabase): FileState {
  const count = (where: string) =>
    Number((database.prepare(`SELECT count(*) AS n FROM sqlite_schema ${where}`).get() as { n: number }).n)
  const hasMeta = count("WHERE type = 'table' AND name = 'p2_meta'") > 0
  return {
    applicationId: Number(pragma(database, "application_id") ?? 0),
    userVersion: Number(pragma(database, "user_version") ?? 0),
    tables: count(""),
    version: hasMeta ? readVersion(database) : null,
  }
}

export function readVersion(database: SqliteDatabase): number {
  return Number((database.prepare("SELECT version FROM p2_meta").get() as { version: number } | undefined)?.version)
}

/** Reads the state in one transaction, because another process may be creating the tables. */
function readSnapshot(database: SqliteDatabase): FileState {
  database.exec("BEGIN")
  try {
    return readState(database)
  } finally {
    database.exec("ROLLBACK")
  }
}

/** Throws unless the file is empty, is a store of p2, or was passed as a connection. */
function rejectForeign(state: FileState, origin: DatabaseOrigin): void {
  const isMarked = state.applicationId === APPLICATION_ID
  const version = isMarked ? Math.max(state.userVersion, state.version ?? 0) : (state.version ?? 0)
  if (version > SCHEMA_VERSION) throw schemaTooNew(origin, version)
  if (state.version !== null && !(state.version >= 1)) throw damagedFile(origin, "its version is missing")
  if (isMarked && state.version === null) throw damagedFile(origin, "its tables are missing")
  const isEmpty = state.tables === 0 && state.applicationId === 0 && state.userVersion === 0
  if (origin.owned && state.version === null && !isEmpty)
    throw new StoreError(
      `${origin.name} is a SQLite database of another program. Nothing was written. Use a separate file for the store, or pass a connection to keep its tables (p2_…) beside yours.`,
      { code: "store-misconfigured", applied: "no" },
    )
}

export function schemaTooNew({ name }: DatabaseOrigin, version: number): StoreError {
  return new StoreError(
    `${name} has schema version ${version}; this version of @p2/budget-sqlite supports ${SCHEMA_VERSION}. Nothing was written. Install the newer version.`,
    { code: "store-misconfigured", applied: "no" },
  )
}

function damagedFile({ name }: DatabaseOrigin, problem: string): StoreError {
  return new StoreError(
    `${name} is marked as a store of p2, but ${problem}. Nothing was written. Restore it from a backup.`,
    {
      code: "store-corrupt",
      applied: "no",
    },
  )
}

/** Throws unless every table and index is as {@link MIGRATIONS} created it. A damaged schema would cause unclear errors later. */
function rejectChangedTables(database: SqliteDatabase, origin: DatabaseOrigin): void {
  const rows = database.prepare("SELECT CAST(sql AS BLOB) AS sql FROM sqlite_schema WHERE sql IS NOT NULL").all()
  const decoder = new TextDecoder()
  const created = new Set((rows as { sql: Uint8Array }[]).map(({ sql }) => decoder.decode(sql)))
  for (const statement of MIGRATIONS.join("").split(";")) {
    const sql = statement.trim()
    if (sql.startsWith("CREATE") && !created.has(sql))
      throw damagedFile(origin, "its tables are not as the store creates them")
  }
}

/** Rejects other programs' databases, then creates the tables or migrates them to this version, in one transaction. */
export function prepareSchema(database: SqliteDatabase, origin: DatabaseOrigin, synchronous: "NORMAL" | "FULL"): void {
  rejectForeign(readSnapshot(database), origin)
  if (origin.owned) {
    database.exec("PRAGMA journal_mode = WAL")
    database.exec(`PRAGMA synchronous = ${synchronous}`)
    database.exec("PRAGMA temp_store = MEMORY")
    database.exec(`PRAGMA journal_size_limit = ${MAX_IDLE_LOG_BYTES}`)
  }
  if (readSnapshot(database).version === SCHEMA_VERSION) {
    rejectChangedTables(database, origin)
    return
  }
  database.exec("BEGIN IMMEDIATE")
  try {
    // Another process may have created the tables while this one waited for the lock.
    const state = readState(database)
    rejectForeign(state, origin)
    for (let version = state.version ?? 0; version < SCHEMA_VERSION; version++) database.exec(MIGRATIONS[version]!)
    if (state.tables === 0) database.exec(`PRAGMA application_id = ${APPLICATION_ID}`)
    if (state.tables === 0 || state.applicationId === APPLICATION_ID)
      database.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`)
    database.exec("COMMIT")
  } catch (error) {
    database.exec("ROLLBACK")
    throw error
  }
}
