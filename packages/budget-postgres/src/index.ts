export type { PostgresClient, PostgresPool } from "./connection"
export { type PostgresStoreOptions, postgresStore } from "./postgres-store"
