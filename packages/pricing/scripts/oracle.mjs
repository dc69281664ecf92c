// Compares random calls with the rational oracle. Run: pnpm oracle --cases 1000000
import { spawnSync } from "node:child_process"
import { parseArgs } from "node:util"

const { values } = parseArgs({ options: { cases: { type: "string", default: "1000000" } } })
if (!/^[1-9]\d*$/.test(values.cases)) throw new Error(`Expected --cases to be a number from 1, got ${values.cases}.`)
const run = spawnSync("vitest", ["run", "test/oracle.test.ts", "--reporter=verbose"], {
  stdio: "inherit",
  env: { ...process.env, P2_ORACLE_CASES: values.cases },
})
if (run.error !== undefined) throw run.error
process.exit(run.status ?? 1)
