import { type ChildProcess, spawn } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { type LocalProvider, startLocalProvider } from "@p2/local-provider"
import { type Agent, CONTENT } from "./agents"
import { startClosedNetwork } from "./closed-network"

const TIMEOUT_MS = 180_000
const KILL_AFTER_MS = 10_000
const KEY = "sk-mock-0123456789abcdef0123456789"
const TASK = `Write a file hello.txt with the text ${CONTENT}`

/** The fields of the receipt that are checked. */
interface Receipt {
  calls: number
  costNanoUsd: number
  inDoubt: { calls: number }
  denied: number
  rejected: { message: string; calls: number }[]
  limit: { reservedNanoUsd: number } | null
}

/** How a run of a program ended. */
export interface AgentRun {
  code: number | null
  /** What the program wrote; `p2` writes nothing. */
  output: string
  /** Undefined: `p2` did not write one. */
  receipt: Receipt | undefined
  /** What the local provider billed, by its own prices. */
  ledgerNanoUsd: number
  /** Calls that reached the local provider. */
  sentCalls: number
  wroteFile: boolean
  /** Hosts other than the proxy to which the program tried to connect. */
  otherHosts: readonly string[]
  seconds: number
  /** The requests as the local provider received them. */
  requests: LocalProvider["received"]
}

export interface AgentPlaces {
  /** The bundled `p2`. */
  cli: string
  /** The folder with the commands of the programs. */
  programs: string
}

/** What is added for one run. */
export interface RunWords {
  /** Options of `p2 run`. */
  options: readonly string[]
  /** Arguments of the program. */
  arguments: readonly string[]
}

/** Runs a program under `p2 run` with an empty home folder, and with no network except the local provider. */
export async function runAgent(agent: Agent, added: RunWords, { cli, programs }: AgentPlaces): Promise<AgentRun> {
  const home = mkdtempSync(join(tmpdir(), "p2-agent-"))
  const project = join(home, "project")
  const file = join(project, "hello.txt")
  const receiptFile = join(home, "receipt.json")
  mkdirSync(project)
  for (const [path, content] of Object.entries(agent.files ?? {})) {
    mkdirSync(dirname(join(home, path)), { recursive: true })
    writeFileSync(join(home, path), JSON.stringify(content))
  }
  const provider = await startLocalProvider({ apiKey: KEY, ownRules: true })
  script(provider, agent, file)
  const network = await startClosedNetwork()
  const startedAt = Date.now()
  const options = [...added.options, "--quiet", "--receipt", receiptFile]
  const words = [...agent.arguments(TASK), ...added.arguments]
  const child = spawn(
    process.execPath,
    ["--no-warnings", cli, "run", ...options, "--", join(programs, agent.command), ...words],
    {
      cwd: project,
      env: environment(agent, provider, home, network.url),
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    },
  )
  const end = await endOf(child)
  const run: AgentRun = {
    ...end,
    receipt: existsSync(receiptFile) ? JSON.parse(readFileSync(receiptFile, "utf8")) : undefined,
    ledgerNanoUsd: provider.ledger.totalNanoUsd,
    sentCalls: provider.received.length,
    wroteFile: existsSync(file) && readFileSync(file, "utf8") === CONTENT,
    otherHosts: network.hosts,
    seconds: (Date.now() - startedAt) / 1000,
    requests: provider.received,
  }
  await Promise.all([provider.close(), network.close()])
  rmSync(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
  return run
}

/** The local provider calls the tool once and then answers. It answers a request for JSON with JSON. */
function script({ faults }: LocalProvider, { tool }: Agent, file: string): void {
  const toolCalls = [{ name: tool.name, arguments: tool.write(file) }]
  faults.always({ toolCalls }, ({ body }) => hasTool(body, tool.name) && !hasResult(body))
  faults.always({ answer: "Done." }, ({ body }) => !/"(responseJsonSchema|json_schema)"/.test(JSON.stringify(body)))
}

type Body = Readonly<Record<string, unknown>>

function hasTool({ tools, input }: Body, name: string): boolean {
  return JSON.stringify([tools, input]).includes(`"name":"${name}"`)
}

function hasResult({ messages, input, contents }: Body): boolean {
  const turns = JSON.stringify([messages, input, contents])
  return /"type":"(tool_result|function_call_output|custom_tool_call_output)"|"role":"tool"|"functionResponse"/.test(
    turns,
  )
}

function environment(agent: Agent, provider: LocalProvider, home: string, network: string): NodeJS.ProcessEnv {
  return {
    ...{ PATH: process.env.PATH, HOME: home, TMPDIR: home, P2_HOME: join(home, "p2") },
    ...{ NO_COLOR: "1", TERM: "xterm-256color", LANG: "C.UTF-8" },
    ...{ HTTP_PROXY: network, HTTPS_PROXY: network, http_proxy: network, https_proxy: network },
    [agent.provider.key]: KEY,
    [agent.provider.baseURL]: agent.provider.urlOf(provider),
    ...agent.env,
  }
}

/** Waits until the process exits. After a timeout, kills its process group. */
function endOf(child: ChildProcess): Promise<{ code: number | null; output: string }> {
  let output = ""
  for (const stream of [child.stdout!, child.stderr!])
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text
    })
  const signal = (name: NodeJS.Signals) => {
    try {
      process.kill(-child.pid!, name)
    } catch {
      // It has ended.
    }
  }
  const timers = [
    setTimeout(() => signal("SIGTERM"), TIMEOUT_MS),
    setTimeout(() => signal("SIGKILL"), TIMEOUT_MS + KILL_AFTER_MS),
  ]
  return new Promise((resolve) =>
    child.once("close", (code) => {
      for (const timer of timers) clearTimeout(timer)
      resolve({ code, output })
    }),
  )
}
