import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { findProgram, PROGRAMS, type ProgramContext, type ProgramSettings } from "../../src/run/programs"

const CONTEXT: ProgramContext = {
  url: "http://127.0.0.1:4000",
  token: "p2-token",
  isAvailable: () => true,
  env: {},
  clamp: false,
}

function settingsOf(name: string, context: Partial<ProgramContext> = {}): ProgramSettings {
  return PROGRAMS.find((program) => program.name === name)!.settings({ ...CONTEXT, ...context })
}

describe("a known program is found", () => {
  const commands: [string[], string, number][] = [
    [["claude", "-p", "Hi"], "claude", 0],
    [["/usr/local/bin/codex", "exec"], "codex", 0],
    [["C:\\npm\\gemini.cmd"], "gemini", 0],
    [["npx", "@openai/codex", "exec"], "codex", 1],
    [["npx", "--yes", "@anthropic-ai/claude-code@2.1", "-p"], "claude", 2],
    [["npx", "opencode-ai@latest", "run"], "opencode", 1],
    [["pnpm", "dlx", "@qwen-code/qwen-code"], "qwen", 2],
    [["bunx", "gemini"], "gemini", 1],
  ]
  it.each(commands)("in %s", (command, name, index) => {
    expect(findProgram(command)).toMatchObject({ program: { name }, index })
  })

  it.each([[["sh", "-c", "codex exec"]], [["python", "codex"]], [["pnpm", "test"]], [["npx"]]])(
    "not in %s",
    (command) => {
      expect(findProgram(command)).toBeUndefined()
    },
  )
})

describe("the settings of", () => {
  it("claude put the token into the variable that needs no confirmation", () => {
    expect(settingsOf("claude").env).toEqual({ ANTHROPIC_AUTH_TOKEN: "p2-token", ANTHROPIC_API_KEY: undefined })
    expect(settingsOf("claude", { isAvailable: () => false })).toEqual({})
    const clamped = { MAX_THINKING_TOKENS: "4000", CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1" }
    expect(settingsOf("claude", { clamp: true }).env).toMatchObject(clamped)
    const { env } = settingsOf("claude", { clamp: true, env: { MAX_THINKING_TOKENS: "8000" } })
    expect(env).toMatchObject({ CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1" })
    expect(env).not.toHaveProperty("MAX_THINKING_TOKENS")
  })

  it("codex gets a provider without retries", () => {
    const words = settingsOf("codex").arguments!
    expect(words.filter((_word, index) => index % 2 === 0)).toEqual(Array(words.length / 2).fill("-c"))
    expect(words).toContain('model_providers.p2.base_url="http://127.0.0.1:4000/openai/v1"')
    expect(words).toContain('model_providers.p2.env_key="OPENAI_API_KEY"')
    expect(words).toContain("model_providers.p2.request_max_retries=0")
    expect(words).toContain("model_providers.p2.stream_max_retries=0")
    expect(words.join()).not.toContain("p2-token")
  })

  it("opencode complete a configuration of the user", () => {
    const own = JSON.stringify({ theme: "x", provider: { local: { options: {} } } })
    const config = JSON.parse(
      settingsOf("opencode", { env: { OPENCODE_CONFIG_CONTENT: own } }).env!.OPENCODE_CONFIG_CONTENT!,
    )
    expect(config).toMatchObject({
      theme: "x",
      provider: { local: {}, anthropic: { options: { baseURL: "http://127.0.0.1:4000/anthropic/v1" } } },
    })
    expect(JSON.stringify(config)).not.toContain("p2-token")
  })

  it("qwen select the API key, and remove the proxies of the network", () => {
    expect(settingsOf("qwen")).toEqual({ arguments: ["--auth-type", "openai"] })
    expect(settingsOf("qwen", { isAvailable: () => false })).toEqual({})
    const env = { HTTPS_PROXY: "http://proxy.example", http_proxy: "http://proxy.example", NO_PROXY: "127.0.0.1" }
    expect(settingsOf("qwen", { env })).toMatchObject({
      env: { HTTPS_PROXY: undefined, http_proxy: undefined },
      notes: [expect.stringContaining("HTTPS_PROXY, http_proxy")],
    })
  })

  it("gemini say what to write, unless its settings select the API key", () => {
    const home = mkdtempSync(join(tmpdir(), "p2-gemini-"))
    const file = join(home, ".gemini", "settings.json")
    const notesOf = () => settingsOf("gemini", { env: { GEMINI_CLI_HOME: home } }).notes
    expect(notesOf()).toMatchObject([expect.stringContaining(file)])
    mkdirSync(join(home, ".gemini"))
    writeFileSync(file, JSON.stringify({ security: { auth: { selectedType: "oauth-personal" } } }))
    expect(notesOf()).toMatchObject([expect.stringContaining('"selectedType": "gemini-api-key"')])
    writeFileSync(file, '{ "security": { "auth": { "selectedType": "gemini-api-key" } } }')
    expect(notesOf()).toBeUndefined()
    rmSync(home, { recursive: true })
  })
})
