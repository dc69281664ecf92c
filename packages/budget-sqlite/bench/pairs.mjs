// Pairs (reserve of one counter, settle with a usage entry) per second, compared with a bare loop of the same
// statements on a connection of the same library. Rounds are interleaved; the ratio of each round is taken, then the
// median.
//   npm run bench            after `npm run build`
import { fork } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { median, pair, pairsPerSecond, readyAndGo, runTogether } from "../../budget/bench/pairs.mjs"
import { sqliteStore } from "../dist/index.js"

const PAIRS = 2_000
const ROUNDS = Number(process.env.ROUNDS ?? 7)
const COUNTER = "u=ann|usd|m0-n0"
const self = fileURLToPath(import.meta.url)

const onePair = (store, key) => pair(store, { key, userId: "ann", counters: [COUNTER] })
const storePairs = (store, callers, prefix, pairs = PAIRS) =>
  pairsPerSecond({ callers, pairs, run: (index) => onePair(store, `${prefix}-${index}`) })

/** Records the statements that the store sends for consecutive pairs, with their values. */
async function recordStatements(Database, path) {
  const database = new Database(path)
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL")
  const log = []
  const recording = {
    exec: (sql) => {
      log.push([sql, "exec", []])
      return database.exec(sql)
    },
    close: () => database.close(),
    prepare: (sql) => {
      const statement = database.prepare(sql)
      // Everything else of the statement is seen by the store as well, on the statement itself.
      return new Proxy(statement, {
        get(_, name) {
          if (typeof statement[name] !== "function") return statement[name]
          if (!["run", "get", "all"].includes(name)) return statement[name].bind(statement)
          return (...values) => {
            log.push([sql, name, values])
            return statement[name](...values)
          }
        },
      })
    },
  }
  const store = sqliteStore(recording)
  await storePairs(store, 1, "warm", 200)
  log.length = 0
  await storePairs(store, 1, "recorded")
  await store.close()
  database.close()
  return log
}

function barePairs(Database, path, log) {
  const database = new Database(path)
  database.exec("PRAGMA synchronous = NORMAL")
  const statements = new Map()
  const prepared = log.map(([sql, mode, values]) => {
    if (mode === "exec") return [database, mode, [sql]]
    if (!statements.has(sql)) statements.set(sql, database.prepare(sql))
    return [statements.get(sql), mode, values]
  })
  const start = performance.now()
  for (const [statement, mode, values] of prepared) statement[mode](...values)
  const perSecond = PAIRS / ((performance.now() - start) / 1_000)
  database.close()
  return perSecond
}

async function child() {
  const [, , , path, prefix, pairs] = process.argv
  // Warms up like the other benchmarks: a process serves for hours, and its first thousand pairs are interpreted.
  const warm = sqliteStore(`${path}-${prefix}`)
  await storePairs(warm, 8, "warm")
  await warm.close()
  const store = sqliteStore(path, { timeoutMs: 20_000 })
  await store.read({ partition: "main", counters: ["a"] })
  await readyAndGo()
  const waits = []
  const run = async (index) => {
    const start = performance.now()
    await onePair(store, `${prefix}-${index}`)
    waits.push(performance.now() - start)
  }
  await pairsPerSecond({ callers: 8, pairs: Number(pairs), run })
  waits.sort((a, b) => a - b)
  await store.close()
  process.send({ p99: waits[Math.floor(waits.length * 0.99)], max: waits.at(-1) })
  process.disconnect()
}

/** One round, on a separate file. */
async function processes(path, count, pairs) {
  const children = Array.from({ length: count }, (_, index) => fork(self, ["child", path, `p${index}`, String(pairs)]))
  const { results: waits, seconds } = await runTogether(children)
  const longest = (name) => Math.max(...waits.map((one) => one[name]))
  return { rate: (count * pairs) / seconds, p99: longest("p99"), max: longest("max") }
}

async function main() {
  const builtin = process.getBuiltinModule?.("node:sqlite")?.DatabaseSync
  const Database = builtin ?? createRequire(import.meta.url)("libsql")
  const folder = mkdtempSync(join(tmpdir(), "p2-sqlite-bench-"))
  const rates = { bare: [], one: [], many: [] }
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const path = (name) => join(folder, `${name}-${round}.db`)
      const log = await recordStatements(Database, path("recorded"))
      // The same statements on a file of the same tables, without the rows of the recording.
      const empty = sqliteStore(path("bare"))
      await storePairs(empty, 1, "warm", 200)
      await empty.close()
      rates.bare.push(barePairs(Database, path("bare"), log))
      const one = sqliteStore(path("one"))
      await storePairs(one, 1, "warm", 200)
      rates.one.push(await storePairs(one, 1, "x"))
      await one.close()
      const many = sqliteStore(path("many"))
      await storePairs(many, 1, "warm", 200)
      rates.many.push(await storePairs(many, 32, "x"))
      await many.close()
    }
    const ratio = (name) => median(rates[name].map((rate, round) => rate / rates.bare[round])).toFixed(2)
    console.log(
      `${builtin ? "node:sqlite" : "libsql"} on Node ${process.versions.node}, median of ${ROUNDS} rounds of ${PAIRS} pairs`,
    )
    console.log(`bare loop: ${Math.round(median(rates.bare))} pairs/s`)
    console.log(`1 caller: ${Math.round(median(rates.one))} pairs/s, ${ratio("one")} × the loop`)
    console.log(`32 callers: ${Math.round(median(rates.many))} pairs/s, ${ratio("many")} × the loop`)
    const rounds = []
    for (let round = 0; round < 3; round++)
      rounds.push(await processes(join(folder, `processes-${round}.db`), 4, 5_000))
    const middle = (name) => Math.round(median(rounds.map((one) => one[name])))
    console.log(
      `4 processes, 8 callers each: ${middle("rate")} pairs/s (${rounds.map(({ rate }) => Math.round(rate)).join(", ")}); slowest process p99 ${middle("p99")} ms, longest pair ${middle("max")} ms`,
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
}

await (process.argv[2] === "child" ? child() : main())
