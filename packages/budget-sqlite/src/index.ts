export type { SqliteDatabase, SqliteStatement, SqlValue } from "./database"
export { type SqliteStoreOptions, sqliteStore } from "./sqlite-store"
