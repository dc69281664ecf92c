import { StoreError } from "@p2/budget"
import type { USAGE_COUNTS } from "@p2/core"
import type { Connection } from "./connection"

/** Marks a file as ours (`PRAGMA application_id`): "p2bs" in ASCII. */
export const APPLICATION_ID = 0x70326273

/** Version of the tables (`PRAGMA user_version`, and `p2_meta.version` in a file shared with the user's tables). */
export const SCHEMA_VERSION = 1

/**
 * Kinds of tokens that have a column in this version of the tables. Others are kept in `other_tokens`, as JSON: a count that
 * a later core adds has no column in the files that exist, so this is not core's list. A test tells when they part.
 */
export const TOKEN_COLUMNS = [
  "inputTokens",
  "cacheReadTokens",
  "cacheWriteTokens",
  "cacheWrite1hTokens",
  "audioInputTokens",
  "imageInputTokens",
  "outputTokens",
  "reasoningTokens",
  "audioOutputTokens",
  "imageOutputTokens",
  "webSearches",
] as const satisfies readonly (typeof USAGE_COUNTS)[number][]

/** Usage is summed ahead by quarters of an hour, because every time zone's offset is a multiple of one. */
export const QUARTER_MS = 900_000

const tokenColumns = TOKEN_COLUMNS.map((kind) => `${kind} INTEGER`).join(", ")

/** Most bytes of the log (`-wal`) once it was copied into the file: a long reader makes it grow for as long as it reads. */
const MAX_IDLE_LOG_BYTES = 16 * 2 ** 20

/** Step i takes a file from version i to version i + 1. A released step is never edited; each sets `p2_meta.version`. */
const MIGRATIONS: readonly string[] = [
  `
CREATE TABLE p2_meta (one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL, now INTEGER NOT NULL) STRICT;
INSERT INTO p2_meta VALUES (1, 1, 0);
CREATE TABLE p2_cells (
  root TEXT NOT NULL, key TEXT NOT NULL,
  spent INTEGER NOT NULL, reserved INTEGER NOT NULL, granted INTEGER NOT NULL, peak INTEGER NOT NULL,
  ends_at INTEGER, keep_ms INTEGER, touched_at INTEGER NOT NULL,
  PRIMARY KEY (root, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE p2_ids (
  root TEXT NOT NULL, id TEXT NOT NULL,
  state TEXT NOT NULL, fingerprint TEXT NOT NULL, cells TEXT NOT NULL, lease_end INTEGER NOT NULL,
  revision INTEGER NOT NULL, draft TEXT, forget_at INTEGER,
  PRIMARY KEY (root, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX p2_ids_held ON p2_ids (root, lease_end, id) WHERE state = 'held';
CREATE TABLE p2_adjustments (
  root TEXT NOT NULL, id TEXT NOT NULL, content TEXT NOT NULL, applied INTEGER NOT NULL, forget_at INTEGER NOT NULL,
  PRIMARY KEY (root, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE p2_entries (
  seq INTEGER PRIMARY KEY,
  root TEXT NOT NULL, id TEXT NOT NULL, at INTEGER NOT NULL, revision INTEGER NOT NULL, again INTEGER NOT NULL,
  request_id TEXT NOT NULL, attempt INTEGER NOT NULL, client_id TEXT, user_id TEXT, model TEXT NOT NULL, provider TEXT,
  status TEXT NOT NULL, cost INTEGER NOT NULL, reserved INTEGER NOT NULL, table_cost INTEGER,
  ${tokenColumns}, other_tokens TEXT, tags TEXT, charges TEXT NOT NULL, rest TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX p2_entries_id ON p2_entries (root, id);
CREATE INDEX p2_entries_at ON p2_entries (root, at, id);
CREATE INDEX p2_entries_request ON p2_entries (root, request_id);
CREATE INDEX p2_entries_user ON p2_entries (root, user_id, at, id) WHERE user_id IS NOT NULL;
CREATE INDEX p2_entries_client ON p2_entries (root, client_id, at, id) WHERE client_id IS NOT NULL;
CREATE INDEX p2_entries_again ON p2_entries (root, at, request_id) WHERE again = 1;
CREATE INDEX p2_entries_other ON p2_entries (root, at) WHERE other_tokens IS NOT NULL;
CREATE TABLE p2_usage (
  root TEXT NOT NULL, at INTEGER NOT NULL, model TEXT NOT NULL, provider TEXT NOT NULL, has_provider INTEGER NOT NULL,
  status TEXT NOT NULL, attempts INTEGER NOT NULL, cost INTEGER NOT NULL, reserved INTEGER NOT NULL,
  difference INTEGER NOT NULL, ${tokenColumns},
  PRIMARY KEY (root, at, model, provider, has_provider, status)
) STRICT, WITHOUT ROWID;
`,
]

interface FileState {
  applicationId: number
  userVersion: number
  tables: number
  version: number | null
}

/** What the file is, by reading only; inside a transaction. */
function stateOf(connection: Connection): FileState {
  const pragma = (name: string) => Number(Object.values(connection.get(`PRAGMA ${name}`) ?? {})[0] ?? 0)
  const count = (where: string) =>
    Number(connection.get<{ n: number }>(`SELECT count(*) AS n FROM sqlite_schema ${where}`)?.n ?? 0)
  const ours = count("WHERE type = 'table' AND name = 'p2_meta'") > 0
  const version = ours
    ? Number(connection.get<{ version: number }>("SELECT version FROM p2_meta")?.version ?? -1)
    : null
  return {
    applicationId: pragma("application_id"),
    userVersion: pragma("user_version"),
    tables: count(""),
    version,
  }
}

/** The state at one instant: another process may be making the tables meanwhile. */
function snapshotOf(connection: Connection): FileState {
  connection.exec("BEGIN")
  try {
    return stateOf(connection)
  } finally {
    connection.exec("ROLLBACK")
  }
}

/** Throws unless the file is empty, ours, or a database that its owner handed over as a connection. */
function refuseForeign(state: FileState, connection: Connection): void {
  const ours = state.applicationId === APPLICATION_ID
  const version = ours ? Math.max(state.userVersion, state.version ?? 0) : (state.version ?? 0)
  if (version > SCHEMA_VERSION) throw tooNew(connection, version)
  if (state.version !== null && state.version < 1) throw damaged(connection, "its version is missing")
  if (ours && state.version === null) throw damaged(connection, "its tables are missing")
  const empty = state.tables === 0 && state.applicationId === 0 && state.userVersion === 0
  if (connection.owned && state.version === null && !empty) {
    throw new StoreError(
      `${connection.name} is a SQLite database of something else. Nothing was written; give the store a file of its own, or pass the connection to keep its tables (p2_…) beside yours.`,
      { code: "misconfigured", applied: "no" },
    )
  }
}

export function tooNew({ name }: Connection, version: number): StoreError {
  return new StoreError(
    `${name} has schema version ${version}, and this version of @p2/budget-sqlite knows ${SCHEMA_VERSION}. Nothing was written; install the newer version.`,
    { code: "misconfigured", applied: "no" },
  )
}

function damaged({ name }: Connection, how: string): StoreError {
  return new StoreError(
    `${name} is marked as a store of p2, but ${how}. Nothing was written; restore it from a copy.`,
    {
      code: "corrupt",
      applied: "no",
    },
  )
}

/**
 * Throws unless every table and index is there as a step of {@link MIGRATIONS} made it. Elsewhere the damage of a name would
 * look like a mistake in a statement, and libsql ends the process over a column whose name is no UTF-8.
 */
function refuseChangedTables(connection: Connection): void {
  const rows = connection.all<{ sql: string }>("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL")
  const made = new Set(rows.map(({ sql }) => sql))
  for (const statement of MIGRATIONS.join("").split(";")) {
    const sql = statement.trim()
    if (sql.startsWith("CREATE") && !made.has(sql))
      throw damaged(connection, "its tables are not as the store makes them")
  }
}

/** Refuses what is not ours, then creates the tables or brings them to this version, in one transaction. */
export function prepareFile(connection: Connection, synchronous: "NORMAL" | "FULL"): void {
  refuseForeign(snapshotOf(connection), connection)
  if (connection.owned) {
    connection.exec("PRAGMA journal_mode = WAL")
    connection.exec(`PRAGMA synchronous = ${synchronous}`)
    connection.exec("PRAGMA temp_store = MEMORY")
    connection.exec(`PRAGMA journal_size_limit = ${MAX_IDLE_LOG_BYTES}`)
  }
  if (snapshotOf(connection).version === SCHEMA_VERSION) {
    refuseChangedTables(connection)
    return
  }
  connection.exec("BEGIN IMMEDIATE")
  try {
    // Another process may have done it while this one waited for the lock.
    const state = stateOf(connection)
    refuseForeign(state, connection)
    for (let version = state.version ?? 0; version < SCHEMA_VERSION; version++) connection.exec(MIGRATIONS[version]!)
    if (state.tables === 0) connection.exec(`PRAGMA application_id = ${APPLICATION_ID}`)
    if (state.tables === 0 || state.applicationId === APPLICATION_ID) {
      connection.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`)
    }
    connection.exec("COMMIT")
  } catch (error) {
    connection.exec("ROLLBACK")
    throw error
  }
}
