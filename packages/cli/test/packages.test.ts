import { execFile } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { costOf, priceOf, tableDate } from "@p2/pricing"
import { countTokens, estimateTokens } from "@p2/tokens"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type CliWorld, createCliWorld } from "./support/run-cli"

const TEXT = "The capital of France is Paris. Die Hauptstadt ist Paris. 法国的首都是巴黎。"

let world: CliWorld
let file: string

beforeAll(async () => {
  world = await createCliWorld()
  file = join(world.folder, "prompt.txt")
  writeFileSync(file, TEXT)
})
afterAll(() => world.close())

const json = async (...args: string[]) => JSON.parse((await world.run([...args, "--json"])).stdout)

describe("p2 count", () => {
  it("is exact with a public tokenizer", async () => {
    const tokens = countTokens(TEXT, { model: "gpt-4o-mini" })
    expect(await json("count", file, "--model", "gpt-4o-mini")).toEqual({
      status: "exact",
      model: "gpt-4o-mini",
      tokens,
    })
    const { stdout } = await world.run(["count", file, "--model", "gpt-4o-mini"])
    expect(stdout).toBe(`${tokens} tokens of gpt-4o-mini, exactly\n`)
  })

  it("is an estimate and an upper bound otherwise", async () => {
    const model = "claude-sonnet-4-5"
    const { tokens, upperBound, basis } = estimateTokens(TEXT, model)
    expect(await json("count", file, "--model", model)).toEqual({
      status: "estimate",
      model,
      tokens,
      upperBound,
      basis,
    })
    const { stdout } = await world.run(["count", file, "--model", model])
    expect(stdout).toContain(`about ${tokens} tokens of ${model}, at most ${upperBound}`)
  })

  it("reads standard input", async () => {
    const running = world.start(["count", "-", "--model", "gpt-4o-mini", "--json"])
    running.child.stdin!.end(TEXT)
    expect(JSON.parse((await running.ended).stdout).tokens).toBe(countTokens(TEXT, { model: "gpt-4o-mini" }))
  })

  it("names a missing file, and an invalid model id", async () => {
    const missing = await world.run(["count", "missing.txt", "--model", "gpt-4o-mini"])
    expect(missing).toMatchObject({ code: 2, stderr: "p2: There is no file missing.txt.\n" })
    expect(await world.run(["count", file, "--model", "a b"])).toMatchObject({ code: 2 })
    expect(await world.run(["count", file])).toMatchObject({ code: 2, stderr: expect.stringContaining("--model") })
    expect(await world.run(["count", world.folder, "--model", "gpt-4o-mini"])).toMatchObject({ code: 3 })
  })
})

describe("p2 price", () => {
  it("prints the published rates", async () => {
    const { stdout } = await world.run(["price", "gpt-4o-mini"])
    expect(stdout).toMatch(/^openai\/gpt-4o-mini \(default\), as of \d{4}-\d\d-\d\d$/m)
    expect(stdout).toMatch(/^input +\$0\.15 per million tokens$/m)
    expect(stdout).toMatch(/^cache read +\$0\.075 per million tokens$/m)
    expect(stdout).toMatch(/^search +\$0\.01 each$/m)
    expect(await json("price", "gpt-4o-mini")).toEqual(JSON.parse(JSON.stringify(priceOf("gpt-4o-mini"))))
  })

  it("prints what a call costs", async () => {
    const usage = { inputTokens: 20_000, cacheReadTokens: 15_000, outputTokens: 800 }
    const call = ["price", "claude-sonnet-4-5", "--input", "20000", "--cached", "15000", "--output", "800"]
    const { nanoUsd } = costOf("claude-sonnet-4-5", usage)
    // 5,000 at $3, 15,000 at $0.30 and 800 at $15 per million.
    expect(nanoUsd).toBe(31_500_000)
    expect((await world.run(call)).stdout).toContain("$0.0315 for anthropic/claude-sonnet-4-5")
    expect(await json(...call)).toMatchObject({ nanoUsd })
    expect(await json(...call, "--service-tier", "batch")).toMatchObject({ nanoUsd: nanoUsd / 2 })
  })

  it("names an unknown model and similar ones, and an invalid count", async () => {
    const unknown = await world.run(["price", "gpt-4o-minii"])
    expect(unknown).toMatchObject({ code: 2, stderr: expect.stringContaining('"gpt-4o-mini"') })
    expect(unknown.stderr).toContain("`p2 models` lists the ids.")
    const invalid = await world.run(["price", "gpt-4o-mini", "--input", "-1"])
    expect(invalid).toMatchObject({ code: 2, stderr: expect.stringContaining("--input") })
    const contradiction = await world.run(["price", "gpt-4o-mini", "--input", "1", "--cached", "2"])
    expect([contradiction.code, contradiction.stderr]).toEqual([2, expect.stringContaining("Invalid `--cached`")])
    const tier = await world.run(["price", "gpt-4o-mini", "--service-tier", "nope"])
    expect([tier.code, tier.stderr]).toEqual([
      2,
      'p2: Invalid `--service-tier`: expected default, batch or priority, got "nope".\n',
    ])
  })
})

describe("p2 models", () => {
  it("lists the models of a provider", async () => {
    const { stdout } = await world.run(["models", "--provider", "anthropic"])
    expect(stdout).toMatch(/^model +input +output +other +context +max output +as of$/m)
    expect(stdout).toMatch(/^anthropic\/claude-sonnet-4-5 +\$3\.00 +\$15\.00 +200,000 +64,000 +\d{4}-\d\d-\d\d$/m)
    const listed = await json("models", "--provider", "anthropic")
    expect(listed.every((each: { provider: string }) => each.provider === "anthropic")).toBe(true)
    expect((await json("models")).length).toBeGreaterThan(listed.length)
    expect(tableDate() >= listed[0].asOf).toBe(true)
  })

  it("shows the price of an image, of a second and of a character, and no $0.00 next to it", async () => {
    const { stdout } = await world.run(["models", "--provider", "openai"])
    expect(stdout).toMatch(/^openai\/dall-e-3 +\$0\.12 per image +\d{4}-\d\d-\d\d$/m)
    expect(stdout).toMatch(/^openai\/whisper-1 +\$0\.0001 per second +\d{4}-\d\d-\d\d$/m)
    expect(stdout).toMatch(/^openai\/tts-1 +\$0\.000015 per character +\d{4}-\d\d-\d\d$/m)
    expect(stdout).toMatch(/^openai\/gpt-4o-search-preview +\$2\.50 +\$10\.00 +\$0\.025 per request +128,000/m)
  })

  it("ends without an error when its reader closes the output", async () => {
    const running = world.start(["models"])
    running.child.stdout!.once("data", () => running.child.stdout!.destroy())
    expect(await running.ended).toMatchObject({ code: 0, stderr: "" })
  })

  it("lists the providers", async () => {
    const misspelled = await world.run(["models", "--provider", "antropic"])
    expect(misspelled).toMatchObject({ code: 2, stderr: expect.stringContaining("Did you mean anthropic") })
  })
})

describe("p2 completion", () => {
  it("completes commands, options and what follows -- in bash", async () => {
    const { stdout: script } = await world.run(["completion", "bash"])
    const complete = async (...words: string[]) => {
      const line = `COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length - 1}; _p2; echo "\${COMPREPLY[@]}"`
      const { stdout } = await promisify(execFile)("bash", ["-c", `${script}\n${line}`])
      return stdout.trim().split(" ")
    }
    expect(await complete("p2", "mod")).toEqual(["models"])
    expect(await complete("p2", "run", "--bud")).toEqual(["--budget"])
    expect(await complete("p2", "price", "gpt-4o", "--inp")).toEqual(["--input"])
    expect(await complete("p2", "run", "--budget", "5", "--", "bas")).toContain("bash")
    expect(await complete("p2", "run", "--", "bash", "--bud")).toEqual([""])
  })

  it.each(["zsh", "fish"])("names every command and option in %s", async (shell) => {
    const { stdout } = await world.run(["completion", shell])
    for (const word of ["run", "models", "completion", "budget", "pass-env"]) expect(stdout).toContain(word)
  })

  it("leaves zsh its own variables, which complete the command after --", async () => {
    const { stdout } = await world.run(["completion", "zsh"])
    expect(stdout).not.toMatch(/\b(commands|functions|aliases|builtins)=/)
  })

  it("rejects another shell", async () => {
    expect(await world.run(["completion", "cmd"])).toMatchObject({ code: 2 })
  })
})

describe("--help", () => {
  it.each(["run", "count", "price", "models", "completion"])("of p2 %s has an example", async (command) => {
    const { code, stdout } = await world.run([command, "--help"])
    expect(code).toBe(0)
    expect(stdout).toContain(`$ p2 ${command}`)
  })
})
