import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { type LocalProvider, startLocalProvider } from "@p2/local-provider"
import { afterAll, beforeAll, expect, it } from "vitest"
import { type CliWorld, createCliWorld } from "../support/run-cli"

const SECRETS = {
  OPENAI_API_KEY: "sk-planted-openai-0123456789",
  ANTHROPIC_API_KEY: "sk-ant-planted-0123456789",
  CLAUDE_CODE_OAUTH_TOKEN: "oat-planted-0123456789",
  GEMINI_API_KEY: "AIza-planted-0123456789",
  AWS_SECRET_ACCESS_KEY: "aws-planted-0123456789",
  MY_COPY: "prefix sk-planted-openai-0123456789 suffix",
}
const PROMPT = "Okonedo-Bright asks about a melanoma."

let world: CliWorld
let provider: LocalProvider
let env: Record<string, string>

beforeAll(async () => {
  world = await createCliWorld()
  provider = await startLocalProvider()
  env = { ...SECRETS, OPENAI_BASE_URL: provider.baseURL }
})
afterAll(async () => {
  await world.close()
  await provider.close()
})

const node = (code: string) => ["--", process.execPath, "--input-type=module", "-e", code]

it("no key is in the environment, the arguments, the output, the receipt or the store", async () => {
  const receipt = join(world.folder, "receipt.json")
  const { code, stdout, stderr } = await world.run(
    [
      ...["run", "--budget", "1", "--receipt", receipt],
      ...node(`
        const headers = { "content-type": "application/json", authorization: "Bearer " + process.env.OPENAI_API_KEY }
        const messages = [{ role: "user", content: ${JSON.stringify(PROMPT)} }]
        for (const model of ["gpt-4o-mini", "gpt-unknown"]) {
          const body = JSON.stringify({ model, max_completion_tokens: 10, messages })
          const response = await fetch(process.env.OPENAI_BASE_URL + "/chat/completions", { method: "POST", headers, body })
          console.log(response.status, JSON.stringify([...response.headers]))
        }
        console.log(JSON.stringify(process.env), process.argv.join())
        const { readFileSync } = await import("node:fs")
        if (process.platform === "linux") console.log(readFileSync("/proc/" + process.ppid + "/cmdline", "latin1"))`),
    ],
    env,
  )
  expect(code).toBe(0)
  expect(stdout).toMatch(/^200 .*\n400 /)
  const stored = readdirSync(join(world.folder, "home")).map((name) =>
    readFileSync(join(world.folder, "home", name), "latin1"),
  )
  const written = [stdout, stderr, readFileSync(receipt, "utf8"), ...stored].join("\n")
  expect(written).toContain("gpt-4o-mini")
  // The command itself contains the prompt.
  expect([stderr, readFileSync(receipt, "utf8"), ...stored].join()).not.toContain("Okonedo")
  expect(written).not.toMatch(/planted/)
  expect(stderr).toContain("removed, because they contain a key: MY_COPY")
  // The token is the program's alone.
  const token = /"OPENAI_API_KEY":"(p2-[^"]+)"/.exec(stdout)![1]!
  expect([stderr, readFileSync(receipt, "utf8"), ...stored].join()).not.toContain(token)
})

it("the proxy takes the token of the run, its own address, and no page of a browser", async () => {
  const { stdout } = await world.run(
    [
      ...["run", "--quiet", "--budget", "1", "--store", "memory:"],
      ...node(`
        import { request } from "node:http"
        const base = new URL(process.env.OPENAI_BASE_URL)
        const status = (path, headers) => new Promise((resolve) =>
          request(new URL(path, base), { headers }, (response) => { response.resume(); resolve(response.statusCode) }).end())
        const authorization = "Bearer " + process.env.OPENAI_API_KEY
        console.log(await status("/openai/v1/models", { authorization }))
        console.log(await status("/openai/v1/models", {}))
        console.log(await status("/openai/v1/models", { authorization: "Bearer sk-of-its-own" }))
        console.log(await status("/openai/v1/models", { authorization, host: "evil.test" }))
        console.log(await status("/openai/v1/models", { authorization, origin: "http://evil.test" }))
        console.log(await status("/unknown/v1/models", { authorization }))
        console.log(await status("/dashboard", { authorization }))`),
    ],
    env,
  )
  expect(stdout.trim().split("\n")).toEqual(["200", "401", "401", "403", "403", "404", "404"])
})

it("a known program gets its arguments and variables, and they are printed without the token", async () => {
  const bin = join(world.folder, "bin")
  mkdirSync(bin)
  const script = '#!/bin/sh\nprintf "%s\\n" "$@"\necho "auth=$ANTHROPIC_AUTH_TOKEN key=$ANTHROPIC_API_KEY"\n'
  for (const name of ["codex", "claude"]) {
    writeFileSync(join(bin, name), script)
    chmodSync(join(bin, name), 0o755)
  }
  const path = { ...env, PATH: `${bin}:${process.env.PATH}` }
  const run = (...command: string[]) =>
    world.run(["run", "--budget", "1", "--store", "memory:", "--", ...command], path)
  const codex = await run("codex", "exec", "Do it")
  expect(codex.stdout).toMatch(
    /^-c\nmodel_provider="p2"\n[\s\S]*model_providers\.p2\.stream_max_retries=0\nexec\nDo it\n/,
  )
  expect(codex.stderr).toContain('p2: codex: added arguments: -c model_provider="p2"')
  const claude = await run("claude", "-p", "Hi")
  expect(claude.stdout).toMatch(/^-p\nHi\nauth=p2-\S+ key=\n/)
  expect(claude.stderr).toContain("p2: claude: also set: ANTHROPIC_AUTH_TOKEN")
  expect(codex.stderr + claude.stderr).not.toMatch(/p2-\w{20}/)
})
