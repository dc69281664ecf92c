// Calls a model through the built guard on Node, Bun, Deno and workerd: `pnpm runtimes`, after a build.
// The runtimes are too large for devDependencies (350 MB), so npm installs them into a cache folder.
import { execFile, execFileSync, spawn } from "node:child_process"
import { chmodSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { createServer as createTcpServer } from "node:net"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { isDeepStrictEqual, promisify } from "node:util"
import { build } from "tsup"

const VERSIONS = {
  "@oven/bun-linux-x64": "1.4.5",
  "@deno/linux-x64-glibc": "2.9.6",
  workerd: "1.20261117.1",
}
const package_ = fileURLToPath(new URL("..", import.meta.url))
const cache = join(package_, "node_modules", ".cache", "runtimes")
if (process.platform !== "linux" || process.arch !== "x64") throw new Error("The pinned runtimes are for Linux on x64.")

mkdirSync(cache, { recursive: true })
const manifest = join(cache, "package.json")
if (!existsSync(manifest)) writeFileSync(manifest, JSON.stringify({ private: true }))
const specs = Object.entries(VERSIONS).map(([name, version]) => `${name}@${version}`)
execFileSync("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts", ...specs], {
  cwd: cache,
  stdio: "inherit",
})
const bun = join(cache, "node_modules/@oven/bun-linux-x64/bin/bun")
const deno = join(cache, "node_modules/@deno/linux-x64-glibc/deno")
const workerd = join(cache, "node_modules/@cloudflare/workerd-linux-64/bin/workerd")
for (const file of [bun, deno, workerd]) chmodSync(file, 0o755)

// The published builds, which a user's bundler would resolve.
await build({
  entry: ["program", "worker"].map((name) => join(package_, "runtimes", `${name}.mjs`)),
  outDir: cache,
  outExtension: () => ({ js: ".mjs" }),
  format: "esm",
  target: "es2022",
  platform: "neutral",
  config: false,
  silent: true,
  splitting: false,
  dts: false,
  noExternal: [/.*/],
  esbuildOptions: (options) => {
    options.mainFields = ["module", "main"]
    options.conditions = ["import", "default"]
  },
})

const usage = { prompt_tokens: 20, completion_tokens: 10, total_tokens: 30 }
const base = { id: "chatcmpl-1", model: "gpt-4o-mini", service_tier: "default" }
const server = createServer((request, response) => {
  let text = ""
  request.on("data", (data) => {
    text += data
  })
  request.on("end", () => respond(JSON.parse(text), response))
})

function respond(body, response) {
  if (body.user === "redirect") return response.writeHead(307, { location: "http://127.0.0.1:1/" }).end()
  const message = { role: "assistant", content: "Hello" }
  if (!body.stream)
    return response
      .writeHead(200, { "content-type": "application/json" })
      .end(JSON.stringify({ ...base, choices: [{ index: 0, message, finish_reason: "stop" }], usage }))
  response.writeHead(200, { "content-type": "text/event-stream" })
  const send = (fields) => response.write(`data: ${JSON.stringify({ ...base, choices: [], ...fields })}\n\n`)
  send({ choices: [{ index: 0, delta: { role: "assistant", content: "Hel" }, finish_reason: null }] })
  // The reader abandons this stream, which never ends.
  if (body.model === "gpt-4.1-mini") return
  send({ choices: [{ index: 0, delta: { content: "lo" }, finish_reason: null }] })
  send({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] })
  send({ usage })
  response.end("data: [DONE]\n\n")
}

const listen = (tcp) => new Promise((resolve) => tcp.listen(0, "127.0.0.1", () => resolve(tcp.address().port)))
const baseURL = `http://127.0.0.1:${await listen(server)}/v1`

const EXPECTED = {
  json: ["Hello", "9000 spent, 0 reserved"],
  stream: ["Hello", "18000 spent, 0 reserved"],
  left: "some spent, 0 reserved",
  denial: [402, "budget-exceeded"],
  redirect: true,
}

const run = promisify(execFile)
async function program(file, ...args) {
  const { stdout } = await run(file, [...args, join(cache, "program.mjs"), baseURL], { timeout: 60_000 })
  return JSON.parse(stdout)
}

/** Since compatibility date 2026-08-04, Workers have Node's modules by default. */
async function worker(compatibilityDate) {
  const probe = createTcpServer()
  const port = await listen(probe)
  await new Promise((resolve) => probe.close(resolve))
  const config = join(cache, "config.capnp")
  writeFileSync(
    config,
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .worker), (name = "internet", network = (allow = ["private", "public"]))],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);
const worker :Workerd.Worker = (
  modules = [(name = "worker.mjs", esModule = embed "worker.mjs")],
  compatibilityDate = "${compatibilityDate}",
);
`,
  )
  const child = spawn(workerd, ["serve", config], { stdio: "inherit" })
  try {
    for (let tries = 0; ; tries++) {
      try {
        const response = await fetch(`http://127.0.0.1:${port}/?baseURL=${encodeURIComponent(baseURL)}`)
        const text = await response.text()
        if (!response.ok) throw new SyntaxError(text)
        return JSON.parse(text)
      } catch (error) {
        if (error instanceof SyntaxError || tries === 100) throw error
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
    }
  } finally {
    child.kill()
  }
}

const SCOPE = "9000 spent, 0 reserved"
const RUNTIMES = [
  ["node", SCOPE, () => program(process.execPath)],
  ["bun", SCOPE, () => program(bun, "run")],
  ["deno", SCOPE, () => program(deno, "run", "--allow-net", "--allow-env")],
  ["workerd 2026-11-01", SCOPE, () => worker("2026-11-01")],
  ["workerd 2025-09-01, without Node's modules", "invalid-argument", () => worker("2025-09-01")],
]

for (const [name, scope, start] of RUNTIMES) {
  try {
    const result = await start()
    const isRight = isDeepStrictEqual(result, { ...EXPECTED, scope })
    console.log(isRight ? "ok    " : "FAILED", name, isRight ? "" : JSON.stringify(result))
    if (!isRight) process.exitCode = 1
  } catch (error) {
    console.log("FAILED", name, error)
    process.exitCode = 1
  }
}
server.closeAllConnections()
server.close()
for (const file of ["program.mjs", "worker.mjs", "config.capnp"]) rmSync(join(cache, file), { force: true })
