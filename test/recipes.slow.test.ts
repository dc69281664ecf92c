import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { basename, dirname, join } from "node:path"
import { type LocalProvider, startLocalProvider } from "@p2/local-provider"
import { redisForTests, startRedisCluster } from "@p2/redis-server"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { execute, outputPattern, transpile, typeProblems, withLocalHosts } from "./code-blocks"
import { root } from "./workspace"

/*
 * Every recipe is one program, in a `ts` block, and the output of its runs, in `text` blocks: a page with two `text`
 * blocks is run twice, in the same folder. `…` stands for anything on its line. A program that reads `--crash` is first
 * run with it, and kills itself.
 */

const MAX_LINES = 60
const folder = join(root, "docs", "recipes")
const pages = readdirSync(folder).filter((name) => name.endsWith(".md") && name !== "README.md")
const FENCE = /^```(ts|text)\n([\s\S]*?)^```$/gm

const recipes = pages.map((page) => {
  const markdown = readFileSync(join(folder, page), "utf8")
  const fences = [...markdown.matchAll(FENCE)].map((match) => ({ kind: match[1]!, content: match[2]! }))
  return {
    page,
    lines: markdown.trimEnd().split("\n").length,
    programs: fences.filter(({ kind }) => kind === "ts").map(({ content }) => content),
    outputs: fences.filter(({ kind }) => kind === "text").map(({ content }) => content),
  }
})

// The demo depends on every package, so modules next to its dependencies resolve as a user's would.
const demo = join(root, "apps", "demo")
const programs = join(demo, "node_modules", ".p2-recipes")
const fileOf = (page: string) => join(programs, basename(page, ".md"), "app.ts")
const work = mkdtempSync(join(tmpdir(), "p2-recipes-"))
let provider: LocalProvider

beforeAll(async () => {
  rmSync(programs, { recursive: true, force: true })
  for (const { page, programs } of recipes) {
    mkdirSync(dirname(fileOf(page)), { recursive: true })
    mkdirSync(join(work, page), { recursive: true })
    writeFileSync(fileOf(page), `${programs.join("\n")}\nexport {}\n`)
  }
  linkOpenAIOfAgents()
  provider = await startLocalProvider()
})

afterAll(async () => {
  rmSync(programs, { recursive: true, force: true })
  rmSync(work, { recursive: true, force: true })
  await provider.close()
})

/** The agents SDK needs the newest `openai`, which npm installs with it; the demo has the previous major version. */
function linkOpenAIOfAgents(): void {
  const agents = createRequire(realpathSync(join(demo, "node_modules", "@openai", "agents", "package.json")))
  const modules = join(dirname(fileOf("openai-agents.md")), "node_modules")
  mkdirSync(modules)
  symlinkSync(dirname(agents.resolve("openai")), join(modules, "openai"), "junction")
}

async function expectOutputs(recipe: (typeof recipes)[number], env: Record<string, string> = {}): Promise<void> {
  const { page, programs, outputs } = recipe
  const program = transpile(fileOf(page), programs[0]!)
  const local = withLocalHosts(provider.url)
  const options = {
    cwd: join(work, page),
    nodeArguments: local.nodeArguments,
    env: { ...local.env, OPENAI_AGENTS_DISABLE_TRACING: "1", ...env },
  }
  if (programs[0]!.includes('"--crash"'))
    expect(await execute(program, { ...options, programArguments: ["--crash"] })).toMatchObject({ signal: "SIGKILL" })
  for (const output of outputs) {
    const { stdout, stderr, code } = await execute(program, options)
    expect(stdout.trim(), stderr).toMatch(outputPattern(output.trim()))
    expect(code, stderr).toBe(0)
  }
}

describe("the recipes", () => {
  it.each(recipes.map((recipe) => [recipe.page, recipe] as const))(
    "%s is one program on a short page",
    (_page, recipe) => {
      expect(recipe.lines).toBeLessThanOrEqual(MAX_LINES)
      expect(recipe.programs.length).toBe(1)
      expect(recipe.outputs.length).toBeGreaterThan(0)
    },
  )

  it("type-check against the built packages", () => {
    expect(typeProblems(recipes.map(({ page }) => fileOf(page)))).toEqual([])
  })

  const alone = recipes.filter(({ page }) => page !== "tenants-redis-cluster.md")
  it.each(alone.map((recipe) => [recipe.page, recipe] as const))("%s runs", (_page, recipe) => expectOutputs(recipe))
})

// The tests always start their own cluster.
const redis = await redisForTests()
await redis?.close()

it.skipIf(redis === undefined)("tenants-redis-cluster.md runs", async () => {
  const cluster = await startRedisCluster()
  try {
    const nodes = cluster.nodes.map(({ host, port }) => `${host}:${port}`).join(",")
    await expectOutputs(recipes.find(({ page }) => page === "tenants-redis-cluster.md")!, { REDIS_NODES: nodes })
  } finally {
    await cluster.stop()
  }
})
