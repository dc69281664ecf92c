import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, dirname, join } from "node:path"
import { type LocalProvider, startLocalProvider } from "@p2/local-provider"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { execute, outputPattern, transpile, typeProblems, withLocalHosts } from "./code-blocks"
import { filesBelow, fromRoot, packages, root } from "./workspace"

/*
 * Every `ts` block of every README and docs page is type-checked against the built packages and run in its own
 * process. A `text` block that follows directly must match what it printed; `…` stands for anything on its line. `ts no-run`
 * is only type-checked: it needs the reader's own key or server. `ts from=path` shows a part of a file next to the
 * page, which must contain it word for word.
 */
interface Block {
  name: string
  code: string
  run: boolean
  output: string | undefined
}

const FENCE = /^```ts( no-run| from=\S+)?\n([\s\S]*?)^```\n(?:\n?```text\n([\s\S]*?)^```)?/gm

interface Quote {
  name: string
  code: string
  source: string
}

function quotesOf(file: string): Quote[] {
  const markdown = readFileSync(file, "utf8")
  return [...markdown.matchAll(FENCE)]
    .filter((match) => match[1]?.startsWith(" from="))
    .map((match) => ({
      name: `${fromRoot(file)}:${markdown.slice(0, match.index).split("\n").length}`,
      code: match[2]!,
      source: join(dirname(file), match[1]!.slice(" from=".length)),
    }))
}

function blocksOf(file: string): Block[] {
  const markdown = readFileSync(file, "utf8")
  const matches = [...markdown.matchAll(FENCE)].filter((match) => !match[1]?.startsWith(" from="))
  return matches.map((match) => {
    const line = markdown.slice(0, match.index).split("\n").length
    return { name: `${fromRoot(file)}:${line}`, code: match[2]!, run: match[1] === undefined, output: match[3] }
  })
}

const ALL = [
  join(root, "README.md"),
  join(root, "CONTRIBUTING.md"),
  ...packages.flatMap((entry) => filesBelow(entry.folder, [".md"])),
]
const pages = ALL.filter((file) => !file.endsWith("CHANGELOG.md"))
const isReadme = (file: string) => ["README.md", "CONTRIBUTING.md"].includes(basename(file))

export const READMES = pages.filter(isReadme)
export const DOCS = pages.filter((file) => !isReadme(file))

// The demo depends on every package, so modules next to its dependencies resolve as a user's would.
const demoModules = join(root, "apps", "demo", "node_modules")
/** The cases of these pages. `what` they are is their title. */
export function describePages(what: "READMEs" | "docs", pages: readonly string[]): void {
  const folder = join(demoModules, `.p2-readme-${what}`)
  const blocks = pages.flatMap(blocksOf)

  const fileOf = (index: number) => join(folder, `block-${index}.ts`)
  const work = mkdtempSync(join(tmpdir(), "p2-readme-"))
  let provider: LocalProvider

  beforeAll(async () => {
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder, { recursive: true })
    blocks.forEach((block, index) => {
      writeFileSync(fileOf(index), `${block.code}\nexport {}\n`)
    })
    provider = await startLocalProvider()
  })

  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true })
    rmSync(work, { recursive: true, force: true })
    await provider.close()
  })

  describe(`the code in the ${what}`, () => {
    it("is there", () => {
      expect(blocks.filter((block) => block.run).length).toBeGreaterThan(5)
    })

    it("quotes files word for word", () => {
      const quotes = pages.flatMap(quotesOf)
      for (const quote of quotes) expect(readFileSync(quote.source, "utf8"), quote.name).toContain(quote.code)
    })

    it("type-checks against the built packages", () => {
      const problems = typeProblems(blocks.map((_block, index) => fileOf(index))).map(({ file, message }) => {
        const index = Number(/block-(\d+)\.ts$/.exec(file ?? "")?.[1])
        return `${blocks[index]?.name ?? file}: ${message}`
      })
      expect(problems).toEqual([])
    })

    const runnable = blocks.map((block, index) => [block.name, block, index] as const).filter(([, block]) => block.run)
    it.each(runnable)("%s runs", async (_name, block, index) => {
      // Code that identifies providers by their hosts cannot use another base URL.
      const byHost = block.name.startsWith("packages/guard/") || block.code.includes('"@p2/guard"')
      const local = byHost ? withLocalHosts(provider.url) : { env: baseURLs(provider) }
      const program = transpile(fileOf(index), block.code)
      const { stdout, stderr, code } = await execute(program, { cwd: work, ...local })
      expect(code, stderr).toBe(0)
      if (block.output !== undefined) expect(stdout.trim()).toMatch(outputPattern(block.output.trim()))
    })
  })
}

function baseURLs(provider: LocalProvider): Record<string, string> {
  return {
    OPENROUTER_BASE_URL: provider.openRouterBaseURL,
    OPENAI_BASE_URL: provider.baseURL,
    OPENROUTER_API_KEY: "local",
    OPENAI_API_KEY: "local",
    ANTHROPIC_BASE_URL: provider.anthropicBaseURL,
    ANTHROPIC_API_KEY: "local",
  }
}
