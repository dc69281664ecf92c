import { serveStore } from "@p2/budget/testing"
import { sqliteStore } from "@p2/budget-sqlite"

serveStore(sqliteStore(process.argv[2]!), process)
