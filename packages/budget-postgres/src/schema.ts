import { createHash } from "node:crypto"
import { StoreError } from "@p2/budget/store"
import { inTransaction, type PostgresPool } from "./connection"

const MIGRATION_TIMEOUT_MS = 30_000

/** `$` stands for the schema. Migration n leads from version n to version n + 1. */
const MIGRATIONS = [
  `CREATE TABLE $.p2_meta (version INTEGER NOT NULL);
  INSERT INTO $.p2_meta VALUES (0);
  CREATE TABLE $.p2_records (
    partition TEXT COLLATE "C", kind TEXT COLLATE "C", key TEXT COLLATE "C",
    value TEXT NOT NULL, at BIGINT, forget_at BIGINT,
    PRIMARY KEY (partition, kind, key)
  );
  CREATE INDEX p2_records_due ON $.p2_records (partition, at, key) WHERE kind = 'reservation' AND at IS NOT NULL;
  CREATE INDEX p2_records_forget ON $.p2_records (forget_at) WHERE forget_at IS NOT NULL;
  CREATE TABLE $.p2_usage (
    at BIGINT NOT NULL, cost BIGINT NOT NULL, reserved BIGINT NOT NULL, shared BOOLEAN NOT NULL,
    input_tokens BIGINT, output_tokens BIGINT, cache_read_tokens BIGINT, cache_write_tokens BIGINT, reasoning_tokens BIGINT,
    repeats BIGINT, difference BIGINT, in_doubt_cost BIGINT,
    partition TEXT COLLATE "C", status TEXT COLLATE "C" NOT NULL, user_id TEXT COLLATE "C", model TEXT COLLATE "C",
    client_id TEXT COLLATE "C", provider TEXT COLLATE "C", tags JSONB, other_tokens JSONB,
    key TEXT COLLATE "C", request_id TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (partition, key)
  );
  CREATE INDEX p2_usage_at ON $.p2_usage (partition, at, key);
  CREATE INDEX p2_usage_user ON $.p2_usage (partition, user_id, at, key);
  CREATE INDEX p2_usage_rare ON $.p2_usage (partition, at) WHERE shared OR other_tokens IS NOT NULL;
  CREATE INDEX p2_usage_request ON $.p2_usage (partition, request_id);`,
]

/** Id of the advisory lock of a partition, or of the migrations of a schema. */
export function lockId(...names: string[]): bigint {
  return createHash("sha256").update(names.join("\0")).digest().readBigInt64BE()
}

export function rejectNewer(version: number): void {
  if (version <= MIGRATIONS.length) return
  const supported = `this version of @p2/budget-postgres supports ${MIGRATIONS.length}`
  const message = `The tables have schema version ${version}; ${supported}. Nothing was written. Install the newer version.`
  throw new StoreError(message, { code: "store-misconfigured", applied: "no" })
}

/**
 * Creates the tables or migrates them to this version. Processes that start at the same time do this one after another.
 */
export function migrate(pool: PostgresPool, schema: string): Promise<void> {
  const first = `SELECT pg_advisory_xact_lock(${lockId(schema)}); SELECT to_regclass('"${schema}".p2_meta') AS meta`
  return inTransaction(pool, { timeoutMs: MIGRATION_TIMEOUT_MS, first }, async (query, [row]) => {
    const rows = row?.meta === null ? [{ version: "0" }] : await query(`SELECT version FROM "${schema}".p2_meta`)
    const version = Number(rows[0]?.version)
    rejectNewer(version)
    if (version === MIGRATIONS.length) return
    if ((await query("SELECT 1 FROM pg_namespace WHERE nspname = $1", [schema])).length === 0)
      await query(`CREATE SCHEMA "${schema}"`)
    for (const sql of MIGRATIONS.slice(version)) await query(sql.replaceAll("$", `"${schema}"`))
    await query(`UPDATE "${schema}".p2_meta SET version = ${MIGRATIONS.length}`)
  })
}
