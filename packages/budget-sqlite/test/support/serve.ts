import { serveStore } from "@p2/budget/testing"
import { sqliteStore } from "@p2/budget-sqlite"

// The machine that runs the tests may be busy.
serveStore(sqliteStore(process.argv[2]!, { timeoutMs: 20_000 }), process)
