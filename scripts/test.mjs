// Runs the tests of every package from turbo's cache where nothing changed, then says how many passed. `--all`: the slow
// tests too (CONTRIBUTING.md).
import { existsSync, readFileSync, rmSync } from "node:fs"
import { join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import { findRedisServer } from "../packages/redis-server/fetch.mjs"
import { runTurbo, workspaceFolders } from "./turbo.mjs"

const root = fileURLToPath(new URL("..", import.meta.url))
process.chdir(root)

if (process.env.REDIS_URL === undefined) {
  const server = await findRedisServer({ fetch: true })
  if (server !== undefined) process.env.P2_REDIS_SERVER = server
  else if (process.env.CI === "true") {
    console.error(
      "No redis-server: set REDIS_URL, or put one on the PATH. With CI=true the Redis tests may not be skipped.",
    )
    process.exit(1)
  } else
    console.warn(
      "\n!!! No redis-server on this machine and none could be fetched: THE REDIS TESTS ARE SKIPPED. Set REDIS_URL to run them. !!!\n",
    )
}

const arguments_ = process.argv.slice(2)
if (arguments_[0] === "--all") {
  arguments_.shift()
  process.env.P2_SLOW = "1"
}

// Part of the cache key: a pass on one version of Node proves nothing for another.
process.env.P2_NODE_VERSION = process.version

const reports = [root, ...workspaceFolders()].map((folder) => join(folder, ".test-results.json"))
for (const report of reports) rmSync(report, { force: true })

const status = runTurbo([
  "test",
  "test:house",
  "--continue",
  "--concurrency=2",
  "--output-logs=new-only",
  ...arguments_,
])
const failed = summarize()
process.exit(status !== 0 || failed > 0 ? 1 : 0)

/** Prints a line per package and the closing line; returns how many tests failed. */
function summarize() {
  const total = { passed: 0, failed: 0, skipped: 0 }
  const failures = []
  console.log("")
  for (const file of reports.filter((report) => existsSync(report))) {
    const report = JSON.parse(readFileSync(file, "utf8"))
    const counts = {
      passed: report.numPassedTests,
      // A file that fails to load has no tests to count.
      failed:
        report.numFailedTests +
        report.testResults.filter((suite) => suite.status === "failed" && suite.assertionResults.length === 0).length,
      skipped: report.numPendingTests + report.numTodoTests,
    }
    for (const key of Object.keys(total)) total[key] += counts[key]
    failures.push(...report.testResults.flatMap(failuresOf))
    const name = relative(root, join(file, "..")) || "repository"
    console.log(
      `${name.padEnd(40)} ${String(counts.passed).padStart(6)} passed ${String(counts.failed).padStart(4)} failed ${String(counts.skipped).padStart(4)} skipped`,
    )
  }
  if (status !== 0 && total.failed === 0) {
    console.error("A build or a test runner failed; the lines above say which.")
    total.failed = 1
  }
  for (const failure of failures) console.log(`\n${failure}`)
  console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`)
  return total.failed
}

/** The failures of one test file, with the first lines of each message, for the end of a long log. */
function failuresOf(suite) {
  if (suite.status !== "failed") return []
  const file = relative(root, suite.name)
  const failed = suite.assertionResults.filter((test) => test.status === "failed")
  if (failed.length === 0) return [`FAILED ${file}\n${firstLines(suite.message)}`]
  return failed.map((test) => `FAILED ${file}: ${test.fullName}\n${firstLines(test.failureMessages[0])}`)
}

function firstLines(message = "") {
  return message
    .split("\n")
    .slice(0, 8)
    .map((line) => `  ${line.slice(0, 300)}`)
    .join("\n")
}
