import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { build } from "esbuild"
import { afterEach, describe, expect, it, onTestFinished } from "vitest"
import { findRedisServer, type RedisServer, redisCommand, startRedis, startRedisCluster } from "../src/index"

const program = await findRedisServer({ fetch: true })
if (program === undefined && process.env.CI === "true") throw new Error("No redis-server, and CI=true forbids to skip.")

describe.skipIf(program === undefined)("startRedis", () => {
  const started: { stop(): Promise<void> }[] = []
  afterEach(async () => {
    for (const server of started.splice(0)) await server.stop()
  })
  async function start(options?: Parameters<typeof startRedis>[0]): Promise<RedisServer> {
    const server = await startRedis(options)
    started.push(server)
    return server
  }

  it("answers on its port, and leaves neither process nor folder behind", async () => {
    const server = await start()
    expect(await redisCommand(server, "SET", "a", "b")).toBe("OK")
    expect(await redisCommand(server, "GET", "a")).toBe("b")
    expect(await redisCommand(server, "MGET", "a", "c")).toEqual(["b", null])
    await expect(redisCommand(server, "NONSENSE")).rejects.toThrow("unknown command")
    await server.stop()
    await server.stop()
    expect(existsSync(server.dir)).toBe(false)
    expect(() => process.kill(server.pid, 0)).toThrow("ESRCH")
  })

  it("keeps its port and its append-only file over kill and restart", async () => {
    const server = await start({ args: ["--appendonly", "yes", "--appendfsync", "always"] })
    await redisCommand(server, "INCRBY", "n", 41)
    const { port, pid } = server
    await server.kill()
    await expect(redisCommand(server, "PING")).rejects.toThrow()
    await server.restart()
    expect(server.port).toBe(port)
    expect(server.pid).not.toBe(pid)
    expect(await redisCommand(server, "INCR", "n")).toBe(42)
  })

  it("answers nothing while paused", async () => {
    const server = await start()
    server.pause()
    await expect(redisCommand({ ...at(server), timeoutMs: 100 }, "PING")).rejects.toThrow("did not answer")
    server.resume()
    expect(await redisCommand(server, "PING")).toBe("PONG")
  })

  it("ends with a process that was killed", async () => {
    const folder = mkdtempSync(join(tmpdir(), "p2-bundle-"))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    const outfile = join(folder, "start-and-wait.mjs")
    const entryPoints = [fileURLToPath(new URL("start-and-wait.ts", import.meta.url))]
    await build({ entryPoints, outfile, bundle: true, platform: "node", format: "esm", logLevel: "error" })
    const child = spawn(process.execPath, [outfile], { stdio: ["ignore", "pipe", "inherit"] })
    const [line] = (await once(child.stdout, "data")) as [Buffer]
    const { pid, dir } = JSON.parse(line.toString()) as { pid: number; dir: string }
    process.kill(pid, 0)
    child.kill("SIGKILL")
    await expect.poll(() => isAlive(pid) || existsSync(dir), { timeout: 10_000 }).toBe(false)
  })

  it("forms a cluster whose nodes share the slots", async () => {
    const cluster = await startRedisCluster({ nodes: 3 })
    started.push(cluster)
    const answers = await Promise.allSettled(cluster.nodes.map((node) => redisCommand(node, "SET", "{tag}a", "1")))
    expect(answers.filter((answer) => answer.status === "fulfilled")).toHaveLength(1)
    const moved = answers.filter((answer) => answer.status === "rejected")
    for (const answer of moved) expect(String(answer.reason)).toContain("MOVED")
  })
})

function at(server: RedisServer): { host: string; port: number } {
  return { host: server.host, port: server.port }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
