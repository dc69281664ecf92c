export type { SqliteDatabase, SqliteStatement, SqlValue } from "./connection"
export { type SqliteStoreOptions, sqliteStore } from "./sqlite-store"
