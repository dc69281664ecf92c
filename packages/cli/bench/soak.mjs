// Runs `p2 serve` on a SQLite file under a mixed load (JSON, streams, callers that disconnect, denials, provider
// errors, unknown models, an open dashboard) and measures whether its process grows: heap after a garbage collection,
// resident memory, open handles and rows.
//   node bench/soak.mjs --minutes 60 --rate 40            after `pnpm build`
// Ends with 1 if the heap of the last quarter is more than 10 % and 4 MB above that of the second, or if a handle stays open.
import { fork, spawnSync } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { Agent, request } from "node:http"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as wait } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"

const SAMPLES = 60
const MAIN = fileURLToPath(new URL("../dist/main.js", import.meta.url))
const SELF = fileURLToPath(import.meta.url)

if (process.env.P2_SOAK === "provider") await provide()
else if (process.env.P2_SOAK === "probe") probe()
else await measure()

/** The provider, with faults for some calls. */
async function provide() {
  const { startLocalProvider } = await import("@p2/local-provider")
  const { baseURL, faults, ledger } = await startLocalProvider({ latencyMs: 5 })
  faults.always({ status: 500 }, ({ number }) => number % 50 === 7)
  faults.always({ cut: "stream" }, ({ number }) => number % 50 === 17)
  faults.always({ status: 429, headers: { "retry-after": "1" } }, ({ number }) => number % 50 === 27)
  faults.always({ chunkDelayMs: 2 }, ({ number }) => number % 10 === 3)
  // The bill does not matter here.
  setInterval(() => ledger.clear(), 10_000)
  process.send(baseURL)
}

/** Loaded into the `p2 serve` process: reports its memory and handles. */
function probe() {
  process.on("message", () => {
    globalThis.gc()
    globalThis.gc()
    const { rss, heapUsed, external } = process.memoryUsage()
    process.send({ rss, heap: heapUsed + external, handles: process.getActiveResourcesInfo().length })
  })
  process.channel?.unref()
}

async function measure() {
  const { values } = parseArgs({
    options: { minutes: { type: "string", default: "60" }, rate: { type: "string", default: "40" } },
  })
  const [minutes, rate] = [Number(values.minutes), Number(values.rate)]
  const folder = mkdtempSync(join(tmpdir(), "p2-soak-"))
  const provider = fork(SELF, { env: { ...process.env, P2_SOAK: "provider" } })
  let server
  try {
    const [baseURL] = await once(provider, "message")
    server = await startServer(folder, baseURL)
    const load = startLoad(server, rate)
    const samples = await sample(server, load, folder, minutes)
    await load.stop()
    // Open streams and idle connections end.
    await wait(8_000)
    const rest = await server.ask()
    report(samples, rest, load.counts)
  } finally {
    server?.child.kill()
    provider.kill()
    if (server !== undefined) await once(server.child, "exit")
    rmSync(folder, { recursive: true, force: true })
  }
}

async function startServer(folder, baseURL) {
  const config = join(folder, "p2.json")
  const fields = {
    listen: "127.0.0.1:0",
    store: `file:${join(folder, "p2.db")}`,
    limits: [
      { scope: "total", limit: "1000000" },
      { scope: "user", limit: "100000", per: "day" },
      { scope: { tag: "plan" }, limit: "0", optional: true },
    ],
    upstreams: { openai: { keyFrom: "UPSTREAM_KEY", baseURL } },
    dashboard: true,
  }
  writeFileSync(config, JSON.stringify(fields))
  const keys = ["ada", "bob", "eve"].map((user) => createKey(config, "--user", user))
  const denied = createKey(config, "--user", "mallory", "--tag", "plan=none")
  const link = join(folder, "link")
  const child = fork(MAIN, ["serve", "--config", config, "--dashboard-link", link], {
    execArgv: ["--no-warnings", "--expose-gc", "--import", SELF],
    env: { ...process.env, P2_SOAK: "probe", UPSTREAM_KEY: "local" },
    stdio: ["ignore", "pipe", "inherit", "ipc"],
  })
  const url = await new Promise((resolve) => {
    child.stdout.setEncoding("utf8").on("data", (text) => {
      const [, address] = /"event":"listening","url":"([^"]+)"/.exec(text) ?? []
      if (address !== undefined) resolve(address)
    })
  })
  const ask = async () => {
    child.send("measure")
    return (await once(child, "message"))[0]
  }
  return { child, url, keys, denied, ask, link: readFileSync(link, "utf8").trim() }
}

function createKey(config, ...options) {
  const words = ["--no-warnings", MAIN, "keys", "create", "--json", "--config", config, ...options]
  return JSON.parse(spawnSync(process.execPath, words, { encoding: "utf8" }).stdout).key
}

/** Calls at this rate, regardless of their duration, and one open dashboard. */
function startLoad({ url, keys, denied, link }, rate) {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 })
  const counts = {}
  const open = new Set()
  let number = 0
  const start = () => {
    if (open.size >= 200) return count("skipped")
    const call = callOf(number++)
    const ended = send(call).then(count, () => count("broken"))
    open.add(ended)
    void ended.then(() => open.delete(ended))
  }
  const count = (outcome) => {
    counts[outcome] = (counts[outcome] ?? 0) + 1
  }
  /** Of 20 calls: 10 JSON, 5 streams, 2 that disconnect, 2 denied, 1 of an unknown model. */
  const callOf = (index) => ({
    key: index % 20 >= 17 && index % 20 < 19 ? denied : keys[index % keys.length],
    model: index % 20 === 19 ? "gpt-unknown" : "gpt-4o-mini",
    stream: index % 20 >= 10 && index % 20 < 17,
    leaves: index % 20 === 15 || index % 20 === 16,
    index,
  })
  const send = ({ key, model, stream, leaves, index }) =>
    new Promise((resolve, reject) => {
      const messages = [{ role: "user", content: `Tell me about the number ${index}.` }]
      const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" }
      const sent = request(`${url}/openai/v1/chat/completions`, { method: "POST", agent, headers }, (response) => {
        response.on("data", () => {
          if (!leaves) return
          sent.destroy()
          resolve("left")
        })
        response.on("end", () => resolve(String(response.statusCode)))
        response.on("error", reject)
      })
      sent.on("error", reject)
      sent.end(JSON.stringify({ model, messages, stream, max_completion_tokens: 200 }))
    })
  const timer = setInterval(start, 1000 / rate)
  const page = watchDashboard(url, link)
  return {
    counts,
    stop: async () => {
      clearInterval(timer)
      await Promise.all(open)
      agent.destroy()
      await page.close()
    },
  }
}

/** Reads the stream of a page, as a browser does. */
function watchDashboard(url, link) {
  const controller = new AbortController()
  const read = async () => {
    const opened = await fetch(link)
    const cookie = opened.headers.get("set-cookie").split(";")[0]
    const { signal } = controller
    const response = await fetch(`${url}/dashboard/events?range=1h`, { headers: { cookie }, signal })
    for await (const _chunk of response.body);
  }
  const ended = read().catch(() => {})
  return {
    close: () => {
      controller.abort()
      return ended
    },
  }
}

async function sample(server, { counts }, folder, minutes) {
  const samples = []
  const startedAt = performance.now()
  console.log("minute   heap MB   resident MB   handles   calls   rows")
  for (let index = 1; index <= SAMPLES; index++) {
    await wait(Math.max(0, startedAt + (index * minutes * 60_000) / SAMPLES - performance.now()))
    const minute = (performance.now() - startedAt) / 60_000
    const { rss, heap, handles } = await server.ask()
    const calls = Object.values(counts).reduce((sum, each) => sum + each, 0)
    samples.push({ minute, heap: heap / 1e6, rss: rss / 1e6, handles })
    const rows = index % (SAMPLES / 6) === 0 ? JSON.stringify(rowsIn(folder)) : ""
    const columns = [minute.toFixed(1), (heap / 1e6).toFixed(2), (rss / 1e6).toFixed(1), handles, calls]
    const padded = columns.map((value, column) => String(value).padStart([6, 10, 14, 10, 8][column]))
    console.log(`${padded.join("")}   ${rows}`)
  }
  return samples
}

/** By kind. Entries stay; what else a call leaves is removed an hour after it ended. */
function rowsIn(folder) {
  const Database = createRequire(import.meta.url)("libsql")
  const database = new Database(join(folder, "p2.db"), { readonly: true })
  try {
    const rows = database.prepare("SELECT kind, count(*) AS count FROM p2_records GROUP BY kind").all()
    return Object.fromEntries(rows.map(({ kind, count }) => [kind, count]))
  } finally {
    database.close()
  }
}

function report(samples, rest, counts) {
  const quarter = samples.length / 4
  const median = (from, name) => {
    const values = samples.slice(from, from + quarter).map((each) => each[name])
    return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]
  }
  // Caches fill at first: prices, 1,000 denials, compiled code.
  const half = samples.slice(quarter * 2)
  for (const name of ["heap", "rss"]) {
    const perMinute = slope(half.map((each) => [each.minute, each[name]]))
    const [second, last] = [median(quarter, name), median(quarter * 3, name)]
    const line = `${second.toFixed(2)} MB in the second quarter, ${last.toFixed(2)} MB in the last`
    console.log(`${name.padEnd(5)} ${line}, ${(perMinute * 1000).toFixed(1)} kB a minute in the second half`)
  }
  console.log(`calls ${JSON.stringify(counts)}`)
  console.log(`without load: ${(rest.heap / 1e6).toFixed(2)} MB of heap, ${rest.handles} handles`)
  const [second, last] = [median(quarter, "heap"), median(quarter * 3, "heap")]
  // The signals, the pipe to this process, the server and its timers.
  if (last > second * 1.1 && last - second > 4) fail("The heap grows.")
  if (rest.handles > 12) fail("Handles stay open.")
}

function fail(reason) {
  console.error(reason)
  process.exitCode = 1
}

/** Least squares. */
function slope(points) {
  const mean = (column) => points.reduce((sum, point) => sum + point[column], 0) / points.length
  const [x, y] = [mean(0), mean(1)]
  const product = points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0)
  return product / points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0)
}
