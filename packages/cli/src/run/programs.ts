import { readFileSync } from "node:fs"
import { homedir } from "node:os"
import { basename, join } from "node:path"

/** The proxy of a run, for the settings of a program. */
export interface ProgramContext {
  /** `http://127.0.0.1:4000` */
  url: string
  token: string
  /** Whether the upstream has a key or an address. */
  isAvailable(upstream: string): boolean
  env: NodeJS.ProcessEnv
  /** Whether output limits are lowered to what the budget can pay. */
  clamp: boolean
}

/** What a program needs in addition to the variables that SDKs read. */
export interface ProgramSettings {
  /** Undefined removes a variable. */
  env?: Readonly<Record<string, string | undefined>>
  /** Inserted after the name of the program. */
  arguments?: readonly string[]
  /** What the user has to change, because p2 cannot. */
  notes?: readonly string[]
}

/** A program that `p2 run` configures. */
export interface Program {
  name: string
  /** The name of its npm package, for `npx`. */
  packages: readonly string[]
  settings(context: ProgramContext): ProgramSettings
  /** Ways in which its calls bypass the proxy. */
  bypasses: readonly string[]
}

/** As of 2026-11-30: claude-code 2.1.197, codex 0.171.0, opencode-ai 1.18.33, qwen-code 0.15.10, gemini-cli 0.61.0. */
export const PROGRAMS: readonly Program[] = [
  {
    name: "claude",
    packages: ["@anthropic-ai/claude-code"],
    settings: (context) => (context.isAvailable("anthropic") ? claudeSettings(context) : {}),
    bypasses: ["`apiKeyHelper` and `env` in its settings.json replace the token and the base URL"],
  },
  {
    name: "codex",
    packages: ["@openai/codex"],
    // It ignores OPENAI_BASE_URL. It would retry a denial, and a websocket would have no bound.
    settings: ({ url }) => ({
      arguments: codexSettings({
        model_provider: "p2",
        "model_providers.p2.name": "p2",
        "model_providers.p2.base_url": `${url}/openai/v1`,
        "model_providers.p2.env_key": "OPENAI_API_KEY",
        "model_providers.p2.wire_api": "responses",
        "model_providers.p2.request_max_retries": 0,
        "model_providers.p2.stream_max_retries": 0,
      }),
    }),
    bypasses: ["`-c model_provider=…`, `--oss` or a profile in the command choose another provider"],
  },
  {
    name: "opencode",
    packages: ["opencode-ai"],
    settings: ({ url, env }) => ({
      env: { OPENCODE_CONFIG_CONTENT: openCodeConfig(url, env.OPENCODE_CONFIG_CONTENT) },
    }),
    bypasses: ["providers that are not in its configuration, such as OpenCode Zen after `opencode auth login`"],
  },
  {
    name: "qwen",
    packages: ["@qwen-code/qwen-code"],
    settings: (context) => (context.isAvailable("openai") ? qwenSettings(context.env) : {}),
    bypasses: ["a login with Qwen (`--auth-type qwen-oauth`)", "`OPENAI_BASE_URL` in a `.env` of its own"],
  },
  {
    name: "gemini",
    packages: ["@google/gemini-cli"],
    settings: ({ env }) => geminiSettings(env),
    bypasses: ["a login with Google or Vertex AI, if its settings select it"],
  },
]

/**
 * Set with `--clamp`, unless the user sets them. Models without adaptive thinking have a thinking budget of almost the whole
 * output limit, which cannot be lowered below that budget. The concurrent title call could reserve all that the budget can pay.
 */
const CLAMPED_CLAUDE = { MAX_THINKING_TOKENS: "4000", CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1" }

/** Claude Code asks before it uses ANTHROPIC_API_KEY; a token in ANTHROPIC_AUTH_TOKEN takes precedence over its login. */
function claudeSettings({ token, env, clamp }: ProgramContext): ProgramSettings {
  const clamped = Object.entries(clamp ? CLAMPED_CLAUDE : {}).filter(([name]) => env[name] === undefined)
  return {
    env: { ANTHROPIC_AUTH_TOKEN: token, ANTHROPIC_API_KEY: undefined, ...Object.fromEntries(clamped) },
  }
}

/** codex's `-c` takes TOML: https://github.com/openai/codex/blob/main/docs/config.md */
function codexSettings(values: Record<string, string | number>): string[] {
  return Object.entries(values).flatMap(([key, value]) => ["-c", `${key}=${JSON.stringify(value)}`])
}

/** The configuration that opencode merges last: https://opencode.ai/docs/config */
function openCodeConfig(url: string, own: string | undefined): string {
  const config = parseObject(own)
  const provider = {
    ...parseObject(config.provider),
    anthropic: { options: { baseURL: `${url}/anthropic/v1`, apiKey: "{env:ANTHROPIC_API_KEY}" } },
    openai: { options: { baseURL: `${url}/openai/v1`, apiKey: "{env:OPENAI_API_KEY}" } },
    openrouter: { options: { baseURL: `${url}/openrouter/api/v1`, apiKey: "{env:OPENROUTER_API_KEY}" } },
    google: { options: { baseURL: `${url}/gemini/v1beta`, apiKey: "{env:GEMINI_API_KEY}" } },
  }
  return JSON.stringify({ ...config, provider })
}

function parseObject(value: unknown): Record<string, unknown> {
  if (typeof value === "object" && value !== null) return value as Record<string, unknown>
  try {
    return typeof value === "string" ? parseObject(JSON.parse(value)) : {}
  } catch {
    return {}
  }
}

const NETWORK_PROXIES = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"]

/** It sends every call through the network proxy, regardless of NO_PROXY, and so would never reach the run's proxy. */
function qwenSettings(env: NodeJS.ProcessEnv): ProgramSettings {
  const removed = NETWORK_PROXIES.filter((name) => env[name] !== undefined)
  const settings: ProgramSettings = { arguments: ["--auth-type", "openai"] }
  if (removed.length === 0) return settings
  return {
    ...settings,
    env: Object.fromEntries(removed.map((name) => [name, undefined])),
    notes: [`removed, because it ignores NO_PROXY: ${removed.join(", ")}. Its web tools connect without them`],
  }
}

const GEMINI_AUTH = '{ "security": { "auth": { "selectedType": "gemini-api-key" } } }'

/**
 * Gemini CLI's settings select its login. It reads no variable for this, and a system settings file only if root owns
 * it. Without a selection, a base URL makes it select a gateway, which it then rejects.
 */
function geminiSettings(env: NodeJS.ProcessEnv): ProgramSettings {
  const file = join(env.GEMINI_CLI_HOME ?? homedir(), ".gemini", "settings.json")
  const auth = parseObject(parseObject(parseObject(readIfThere(file)).security).auth)
  if (auth.selectedType === "gemini-api-key") return {}
  return {
    notes: [
      `not configured to use the API key. Write ${GEMINI_AUTH} into ${file}, or select the key with its command /auth`,
    ],
  }
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8")
  } catch {
    return undefined
  }
}

/** A known program in a command, and the position of its name. */
export interface FoundProgram {
  program: Program
  index: number
}

const LAUNCHERS: readonly string[] = ["npx", "bunx", "pnpx"]
/** `pnpm dlx`, `yarn dlx`, `npm exec`, `bun x`. */
const SUBCOMMANDS: Readonly<Record<string, readonly string[]>> = {
  pnpm: ["dlx", "exec"],
  yarn: ["dlx", "exec"],
  npm: ["exec", "x"],
  bun: ["x"],
}

/** Finds a known program at the start of a command, also after `npx` and similar. Does not look inside a shell command or a script. */
export function findProgram(command: readonly string[]): FoundProgram | undefined {
  const first = nameOf(command[0] ?? "")
  const launched = LAUNCHERS.includes(first) ? 1 : SUBCOMMANDS[first]?.includes(command[1] ?? "") ? 2 : 0
  const index = launched === 0 ? 0 : command.findIndex((word, at) => at >= launched && !word.startsWith("-"))
  const word = command[index]
  if (word === undefined) return undefined
  const packageName = word.replace(/(.)@[^/]*$/, "$1")
  const program = PROGRAMS.find(
    ({ name, packages }) => name === nameOf(word) || (launched > 0 && packages.includes(packageName)),
  )
  return program === undefined ? undefined : { program, index }
}

/** `claude` for `/usr/local/bin/claude` and `claude.cmd`. */
function nameOf(word: string): string {
  return basename(word.replaceAll("\\", "/")).replace(/\.(cmd|exe|bat|ps1)$/i, "")
}
