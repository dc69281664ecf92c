import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { type LocalProvider, startLocalProvider } from "@p2/local-provider"
import { redisCommand, startRedis } from "@p2/redis-server"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { openStore } from "../../src/store/open-store"
import { type CliWorld, createCliWorld, type RunningCli } from "../support/run-cli"
import { CALL, type CallOptions, callServer, PROMPT, UPSTREAM_KEY } from "./served-provider"

let world: CliWorld
let provider: LocalProvider

beforeAll(async () => {
  world = await createCliWorld()
  provider = await startLocalProvider()
})

afterAll(async () => {
  await world.close()
  await provider.close()
})

/** Writes a configuration into the folder of the commands. */
function writeConfig(name: string, changes: Record<string, unknown>): void {
  const config = {
    listen: "127.0.0.1:0",
    limits: [{ scope: "total", limit: "1.00" }],
    upstreams: { openai: { keyFrom: "UPSTREAM_KEY", baseURL: provider.baseURL } },
    ...changes,
  }
  writeFileSync(join(world.folder, name), JSON.stringify(config))
}

interface StartedServer extends RunningCli {
  url: string
}

async function startServer(
  config: string,
  env: Record<string, string> = {},
  args: readonly string[] = [],
): Promise<StartedServer> {
  let stdout = ""
  const running = world.start(["serve", "--config", config, ...args], { UPSTREAM_KEY, ...env })
  running.child.stdout!.on("data", (text: string) => {
    stdout += text
  })
  await running.wrote('"event":"listening"')
  const url = /"url":"([^"]+)"/.exec(stdout)?.[1]
  return { ...running, url: url! }
}

async function createKey(...options: string[]): Promise<{ key: string; id: string }> {
  const { code, stdout, stderr } = await world.run(["keys", "create", ...options, "--json"])
  expect(code, stderr).toBe(0)
  return JSON.parse(stdout) as { key: string; id: string }
}

describe("from nothing to a call", () => {
  it("takes `p2 init`, `p2 keys create` and `p2 serve`", async () => {
    expect(await world.run(["init"])).toMatchObject({ code: 0, stdout: expect.stringContaining("Wrote p2.json") })
    expect(await world.run(["init"])).toMatchObject({ code: 2, stderr: expect.stringContaining("`--force`") })
    const { key, id } = await createKey("--user", "ada", "--tag", "team=search", "--limit", "5", "--per", "day")
    const another = await world.run(["keys", "create", "--user", "bob"])
    expect(another.stdout).toContain("\nStore:            file:p2.db\n")
    expect(another.stdout).toContain("with the base URL of the server: http://127.0.0.1:4100/openai/v1\n")
    const listed = await world.run(["keys", "list"])
    expect(listed.stdout).toMatch(new RegExp(`${id} .* ada +team=search +all +\\$5\\.00/day +never +active`))
    expect(listed.stdout).not.toContain(key)
    // The template has a fixed port and the real provider: change those only.
    const file = join(world.folder, "p2.json")
    const template = readFileSync(file, "utf8")
    const local = template
      .replace("127.0.0.1:4100", "127.0.0.1:0")
      .replace('{ "keyFrom": "OPENAI_API_KEY" }', `{ "keyFrom": "OPENAI_API_KEY", "baseURL": "${provider.baseURL}" }`)
    writeFileSync(file, local)
    const server = await startServer("p2.json", { OPENAI_API_KEY: UPSTREAM_KEY })
    expect((await callServer(server.url, key)).status).toBe(200)
    expect(await world.run(["keys", "revoke", id])).toMatchObject({ code: 0 })
    expect(await world.run(["keys", "revoke", "k0"])).toMatchObject({ code: 2 })
    server.child.kill("SIGTERM")
    const { code, stdout, stderr } = await server.ended
    expect([code, stderr]).toEqual([0, ""])
    const events = stdout
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { event: string }).event)
    expect(events).toEqual(["listening", "attempt", "stopping", "stopped"])
    for (const secret of [key, UPSTREAM_KEY, PROMPT]) expect(stdout).not.toContain(secret)
  })
})

it("writes no key, no token and no prompt anywhere: logs, files, listings, exports", async () => {
  writeConfig("planted.json", {
    store: "file:planted.db",
    limits: [{ scope: "user", limit: "0.0002" }],
    dashboard: true,
  })
  const config = ["--config", "planted.json"]
  const { key } = await createKey("--user", "planted-user", "--limit", "1", ...config)
  const server = await startServer("planted.json", {}, ["--dashboard-link", "planted-link"])
  const token = /token=(.+)/.exec(readFileSync(join(world.folder, "planted-link"), "utf8"))![1]!
  const callWith = (own: string, body: unknown = CALL) => callServer(server.url, own, { body })
  const answers = [
    await callWith(key),
    await callWith(key, { ...CALL, model: UPSTREAM_KEY }),
    await callWith(key, `{"model": "gpt-4o-mini", "messages": "${PROMPT}"`),
    await callWith(`p2k_${"B".repeat(43)}`),
  ]
  provider.faults.next({ status: 400, error: { message: `Invalid key ${UPSTREAM_KEY}: ${PROMPT}` } })
  answers.push(await callWith(key))
  provider.faults.next({ cut: "body" })
  await expect(callWith(key)).rejects.toThrow("socket hang up")
  while (answers.at(-1)!.status !== 402) answers.push(await callWith(key, { ...CALL, max_tokens: 200 }))
  const outputs = [
    ...[["status"], ["status", "--user", "planted-user"], ["top", "--by", "key"], ["calls"], ["keys", "list"]],
    ...[["check"], ["export", "--format", "jsonl"], ["export", "--format", "csv"]],
  ].map((args) => world.run([...args, ...config]))
  const written = (await Promise.all(outputs)).map(({ stdout, stderr }) => stdout + stderr)
  server.child.kill("SIGTERM")
  const { stdout, stderr } = await server.ended
  const files = readdirSync(world.folder)
    .filter((name) => name.startsWith("planted") && name !== "planted-link")
    .map((name) => readFileSync(join(world.folder, name), "latin1"))
  const everything = [...written, stdout, stderr, ...files].join("\n")
  expect(everything).toContain("planted-user")
  for (const secret of [key, key.slice(4), UPSTREAM_KEY, PROMPT, token]) expect(everything).not.toContain(secret)
  // The caller sees no key either.
  for (const { text } of answers) expect(text).not.toContain(UPSTREAM_KEY)
})

describe("SIGTERM", () => {
  it("waits for open calls, accepts no others, and settles", async () => {
    writeConfig("grace.json", { store: "file:grace.db", anonymous: {} })
    const server = await startServer("grace.json")
    const before = provider.ledger.totalNanoUsd
    let answer = () => {}
    provider.faults.next({ until: new Promise<void>((resolve) => (answer = resolve)) })
    const call = await arrivedCall(server)
    server.child.kill("SIGTERM")
    await server.wrote('"event":"stopping","open":1')
    await expect(callServer(server.url, undefined)).rejects.toThrow(/ECONNREFUSED|ECONNRESET|socket hang up/)
    answer()
    expect(await call.outcome).toBe(200)
    expect(await server.ended).toMatchObject({ code: 0, stderr: "" })
    expect(await balance("file:grace.db")).toEqual({ spent: provider.ledger.totalNanoUsd - before, reserved: 0 })
  })

  it("ends and settles what is open after the grace time, or with a second signal", async () => {
    for (const grace of ["100ms", "10m"]) {
      writeConfig("short.json", { store: `file:${grace}.db`, anonymous: {}, grace })
      const server = await startServer("short.json")
      provider.faults.next({ stall: "stream", afterChunks: 1 })
      const call = await arrivedCall(server, { body: { ...CALL, stream: true } })
      server.child.kill("SIGTERM")
      await server.wrote('"event":"stopping","open":1')
      if (grace === "10m") server.child.kill("SIGTERM")
      expect(await server.ended).toMatchObject({ code: 0, stderr: "" })
      expect(await call.outcome).toBe("broken")
      const { spent, reserved } = await balance(`file:${grace}.db`)
      expect([spent > 0, reserved]).toEqual([true, 0])
    }
  })
})

it("does not stay if the link of the dashboard cannot be written, the address is in use, or the store is unreachable", async () => {
  writeConfig("link.json", { store: "memory:", anonymous: {}, dashboard: true })
  expect(
    await world.run(["serve", "--config", "link.json", "--dashboard-link", "none/link"], { UPSTREAM_KEY }),
  ).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("none/link: The file cannot be written (ENOENT)"),
  })
  const { host } = new URL(provider.url)
  writeConfig("used.json", { store: "memory:", anonymous: {}, listen: host })
  expect(await world.run(["serve", "--config", "used.json"], { UPSTREAM_KEY })).toMatchObject({
    code: 3,
    stderr: `p2: The address ${host} is in use. Stop the other program, or change \`listen\`.\n`,
  })
  writeConfig("away.json", { store: "redis://127.0.0.1:1", anonymous: {} })
  for (const command of [["serve"], ["keys", "list"]])
    expect(await world.run([...command, "--config", "away.json"], { UPSTREAM_KEY })).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("The store is redis://127.0.0.1:1: start it, or set another address"),
    })
})

it("exits with 2 and names the place if the configuration is invalid", async () => {
  writeConfig("bad.json", { keys: [{ id: "a", hash: "0".repeat(64), models: 5 }] })
  expect(await world.run(["serve", "--config", "bad.json"])).toMatchObject({
    code: 2,
    stdout: "",
    stderr: expect.stringMatching(/^p2: bad\.json: Invalid `keys\[0\]\.models`: expected an array of models .*\n$/),
  })
  expect(await world.run(["serve", "--config", "none.json"])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("`p2 init` writes one"),
  })
})

it.each([["serve"], ["keys", "create"], ["keys", "revoke", "k0"]])(
  "is rejected inside `p2 run`: %s %s",
  async (...args) => {
    expect(await world.run(args, { P2_RUN: "1" })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("inside `p2 run`"),
    })
  },
)

describe("p2 keys create", () => {
  it("prints an entry for the configuration, for a store in memory", async () => {
    const options = ["--user", "ada", "--limit", "0.00008", "--models", "gpt-4o-mini", "--expires", "1d", "--json"]
    const created = await world.run(["keys", "create", "--config-entry", ...options])
    const { key, entry } = JSON.parse(created.stdout) as { key: string; entry: Record<string, unknown> }
    expect(JSON.stringify(entry)).not.toContain(key)
    writeConfig("memory.json", { store: "memory:", keys: [entry], dashboard: true })
    const listed = await world.run(["keys", "list", "--config", "memory.json"])
    expect(listed.stdout).toContain(`${entry.id}`)
    expect(await world.run(["keys", "revoke", String(entry.id), "--config", "memory.json"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("Remove it from `keys`"),
    })
    const link = join(world.folder, "link")
    const server = await startServer("memory.json", {}, ["--dashboard-link", "link"])
    provider.faults.next({ fillOutput: true })
    expect((await callServer(server.url, key)).status).toBe(200)
    expect((await callServer(server.url, key)).status).toBe(402)
    expect((await callServer(server.url, key, { body: { ...CALL, model: "gpt-4o" } })).status).toBe(403)
    expect((statSync(link).mode & 0o777).toString(8)).toBe("600")
    const first = readFileSync(link, "utf8")
    expect(first).toContain(`${server.url}/dashboard/open?token=`)
    server.child.kill("SIGUSR2")
    while (readLink(link) === first) await pause(10)
    server.child.kill("SIGTERM")
    const { code, stdout, stderr } = await server.ended
    expect([code, stderr]).toEqual([0, ""])
    expect(stdout).not.toContain("token=")
    expect(stdout).not.toContain(key)
  })

  it.each([
    [["--tag", "key=x"], "because p2 sets `key`"],
    [["--tag", "team"], "NAME=VALUE"],
    [["--limit", "5$"], "Invalid `--limit`: expected a dollar amount"],
    [["--per", "day"], "because there is no `--limit`"],
    [["--limit", "5", "--per", "daily"], "Invalid `--per`"],
    [["--expires", "soon"], "a duration such as"],
    [["--expires", "0d"], "Invalid `--expires`: expected a duration above 0"],
    [["--user", ""], "Invalid `--user`: expected at least one character"],
    [["--models", "a,,b"], "names separated by commas"],
    [["--config", "p2.json"], "`--user NAME` is missing, because `limits[1]` of the configuration requires it"],
    [["--user", "ada", "--store", "memory:"], "`p2 keys create --config-entry`"],
    [["--user", "ada", "--store", "redis://:hidden@127.0.0.1"], "Set P2_STORE"],
  ])("rejects %j", async (args, message) => {
    const { code, stdout, stderr } = await world.run(["keys", "create", ...args])
    expect([code, stdout, stderr]).toEqual([2, "", expect.stringContaining(message)])
    expect(stderr).not.toContain("hidden")
  })
})

/** Empty while it is being replaced. */
function readLink(file: string): string {
  try {
    return readFileSync(file, "utf8")
  } catch {
    return ""
  }
}

describe("three instances on one Redis", () => {
  it("share a limit, and continue when one is killed", { timeout: 300_000 }, async () => {
    const redis = await startRedis()
    try {
      const store = redis.url
      writeConfig("shared.json", { store, limits: [{ scope: "user", limit: "0.02" }] })
      const { key } = await createKey("--config", "shared.json", "--user", "ada")
      const servers = await Promise.all([1, 2, 3].map(() => startServer("shared.json")))
      const before = provider.ledger.totalNanoUsd
      // Each call reserves about a tenth of a cent, so the limit is for about twenty.
      const body = { ...CALL, model: "gpt-4o", max_tokens: 100 }
      const statusOf = (index: number) =>
        callServer(servers[index]!.url, key, { body }).then(
          ({ status }) => status,
          () => 0,
        )
      provider.faults.always({ delayMs: 20, fillOutput: true })
      // On a busy machine a late reply from the store gives status 503, and nothing is sent: callers retry.
      const retriedStatusOf = async (index: number): Promise<number> => {
        for (;;) {
          const status = await statusOf(index)
          if (status !== 503) return status
        }
      }
      for (const index of [0, 1, 2]) expect(await retriedStatusOf(index)).toBe(200)
      const calls = Array.from({ length: 90 }, (_, index) => statusOf(index % 3))
      await Promise.race(calls)
      servers[0]!.child.kill("SIGKILL")
      const statuses = await Promise.all(calls)
      expect((await servers[0]!.ended).signal).toBe("SIGKILL")
      expect(statuses.filter((status) => ![0, 200, 402, 503].includes(status))).toEqual([])
      const billed = provider.ledger.totalNanoUsd - before
      expect(billed).toBeLessThanOrEqual(20_000_000)
      while ((await retriedStatusOf(1)) !== 402);
      const { spent, reserved } = await balance(store, "0.02")
      expect(spent + reserved).toBeGreaterThanOrEqual(billed)
      expect(spent + reserved).toBeLessThanOrEqual(20_000_000)

      // The others serve, and their calls fit once the limit is topped up.
      const admin = await openStore(store, { limits: [{ scope: "user", limit: "0.02" }] })
      await admin.budget.topUp({ subject: { userId: "ada" }, scope: "user", amount: "0.02" })
      await admin.close()
      for (const index of [1, 2]) expect(await retriedStatusOf(index)).toBe(200)

      // A revocation reaches both.
      const [{ id }] = JSON.parse((await world.run(["keys", "list", "--config", "shared.json", "--json"])).stdout)
      await world.run(["keys", "revoke", id, "--config", "shared.json"])
      for (const index of [1, 2]) {
        let status = 200
        for (let round = 0; round < 100 && status !== 401; round++) {
          status = await statusOf(index)
          if (status !== 401) await pause(100)
        }
        expect(status).toBe(401)
      }
      for (const server of servers.slice(1)) server.child.kill("SIGTERM")
      for (const server of servers.slice(1)) expect(await server.ended).toMatchObject({ code: 0, stderr: "" })
      const keysOnServer = JSON.stringify(await redisCommand(redis, "HVALS", "p2:keys"))
      expect(keysOnServer).toContain(id)
      expect(keysOnServer).not.toContain(key)
    } finally {
      provider.faults.clear()
      await redis.stop()
    }
  })
})

/** A call that has arrived at the provider. In an object, because a promise would be awaited with the call. */
async function arrivedCall(
  { url }: StartedServer,
  options: CallOptions = {},
): Promise<{ outcome: Promise<number | "broken"> }> {
  const before = provider.received.length
  const outcome = callServer(url, undefined, options).then(
    ({ status }) => status,
    () => "broken" as const,
  )
  while (provider.received.length === before) await pause(5)
  return { outcome }
}

/** The status of the dollar limit that the tests use. */
async function balance(store: string, userLimit?: string): Promise<{ spent: number; reserved: number }> {
  const address = store.startsWith("file:") ? `file:${join(world.folder, store.slice(5))}` : store
  const limits =
    userLimit === undefined ? [{ scope: "total", limit: 1 } as const] : [{ scope: "user", limit: userLimit } as const]
  const open = await openStore(address, { limits })
  const [status] = await open.budget.status({ userId: "ada" })
  await open.close()
  return { spent: status!.spentNanoUsd!, reserved: status!.reservedNanoUsd! }
}

function pause(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs))
}
