import pg from "pg"
import { STORE_TIMEOUT_MS } from "../../store/open-store"
import { LOOK_UP_TIMEOUT_MS } from "./key-lookup"
import { type KeyStore, keyStoreFailure, readRecord, sortRecords } from "./key-store"

const TABLE = "p2_budget.p2_keys"
/**
 * Processes that start at the same time create the table one after another. If it exists, nothing is created, because
 * the database user may not be allowed to create tables.
 */
const CREATE = `DO $$ BEGIN
  IF to_regclass('${TABLE}') IS NULL THEN
    PERFORM pg_advisory_xact_lock(7033626273);
    CREATE TABLE IF NOT EXISTS ${TABLE} (hash TEXT PRIMARY KEY, id TEXT NOT NULL UNIQUE, record TEXT NOT NULL);
  END IF;
END $$`

/** The table `p2_keys` in the schema that the store has created. */
export async function openPostgresKeys(address: string): Promise<KeyStore> {
  const pool = new pg.Pool({
    connectionString: address,
    max: 2,
    connectionTimeoutMillis: LOOK_UP_TIMEOUT_MS,
    query_timeout: LOOK_UP_TIMEOUT_MS,
  })
  pool.on("error", () => {})
  const query = async (text: string, values: unknown[] = []): Promise<{ record: string }[]> => {
    try {
      return (await pool.query<{ record: string }>(text, values)).rows
    } catch (error) {
      throw keyStoreFailure(error)
    }
  }
  try {
    await pool.query({ text: CREATE, query_timeout: STORE_TIMEOUT_MS } as pg.QueryConfig)
  } catch (error) {
    await pool.end()
    throw keyStoreFailure(error)
  }
  return {
    add: async (record) => {
      await query(`INSERT INTO ${TABLE} VALUES ($1, $2, $3)`, [record.hash, record.id, JSON.stringify(record)])
    },
    find: async (hash) => {
      const [row] = await query(`SELECT record FROM ${TABLE} WHERE hash = $1`, [hash])
      return row === undefined ? undefined : readRecord(row.record)
    },
    list: async () => sortRecords((await query(`SELECT record FROM ${TABLE}`)).map(({ record }) => readRecord(record))),
    revoke: async (id, now) => {
      const set = `jsonb_set(record::jsonb, '{revokedAt}', to_jsonb($2::bigint))::text`
      const isOpen = `record::jsonb -> 'revokedAt' = 'null'`
      await query(`UPDATE ${TABLE} SET record = ${set} WHERE id = $1 AND ${isOpen}`, [id, now])
      return (await query(`SELECT record FROM ${TABLE} WHERE id = $1`, [id])).length > 0
    },
    close: () => pool.end(),
  }
}
