import type { StoreCheck } from "../store/budget-store"
import type { OwnConnection } from "./client"
import { SCRIPTS } from "./generated/scripts"

/** The oldest version with every command of the scripts: `SET … PXAT`. */
const OLDEST = [6, 2] as const
/** From weakest to strongest. */
const DURABILITIES = ["none", "process", "second", "disk"] as const satisfies readonly StoreCheck["durability"][]

/** Settings of one server, from `INFO` and `CONFIG GET`. */
export interface ServerFacts {
  version: string
  isReplica: boolean
  policy: string
  maxmemory: number
  appendOnly: boolean
  /** Undefined if `CONFIG` is not allowed. */
  appendFsync: string | undefined
}

/** Checks every master. If counters would not be safe, `ok` is false and the reasons are the first warnings. */
export async function inspectServers(connection: OwnConnection, probeKey: string): Promise<StoreCheck> {
  const servers = connection.isCluster === true ? (connection.nodes?.("master") ?? []) : [connection]
  const [denied, ...facts] = await Promise.all([deniedCommands(connection, probeKey), ...servers.map(readFacts)])
  const problems = new Set(facts.flatMap(problemsOf))
  if (denied.length > 0) {
    problems.add(
      `Redis is misconfigured: the ACL of the user denies ${denied.join(", ")}, which the store's scripts use.`,
    )
  }
  const warnings = new Set(facts.flatMap(warningsOf))
  const weakest = Math.min(...facts.map((fact) => DURABILITIES.indexOf(durabilityOf(fact))))
  return {
    ok: problems.size === 0,
    durability: DURABILITIES[weakest] ?? "process",
    warnings: [...problems, ...warnings],
  }
}

/** A script stops in the middle when a command is denied, so each command is tried before anything is written. */
async function deniedCommands(connection: OwnConnection, probeKey: string): Promise<string[]> {
  return (await connection.eval(SCRIPTS.checkAccess.lua, 1, probeKey)) as string[]
}

async function readFacts(server: OwnConnection): Promise<ServerFacts> {
  const [info, setting] = await Promise.all([server.info(), server.config("GET", "appendfsync").catch(() => undefined)])
  return factsOf(info, Array.isArray(setting) ? (setting[1] as string | undefined) : undefined)
}

/** Parses the reply of `INFO`. A missing field counts as unknown, never as correct. */
export function factsOf(info: string, appendFsync: string | undefined): ServerFacts {
  const field = (name: string) => new RegExp(`^${name}:(.*)$`, "m").exec(info)?.[1]?.trim()
  return {
    version: field("redis_version") ?? "0.0.0",
    isReplica: field("role") === "slave",
    policy: field("maxmemory_policy") ?? "unknown",
    maxmemory: Number(field("maxmemory") ?? 0),
    appendOnly: field("aof_enabled") === "1",
    appendFsync,
  }
}

function problemsOf({ version, isReplica, policy, maxmemory }: ServerFacts): string[] {
  const problems: string[] = []
  const [major = 0, minor = 0] = version.split(".").map(Number)
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
    problems.push(`Redis is too old: expected version ${OLDEST.join(".")} or later, got ${version}.`)
  }
  if (isReplica) {
    problems.push(
      "Redis is misconfigured: the server is a replica, expected a master. Connect through Sentinel or Cluster.",
    )
  }
  if (maxmemory > 0 && policy !== "noeviction") {
    problems.push(
      `Redis is misconfigured: maxmemory-policy is ${policy} with a maxmemory of ${maxmemory} bytes, expected noeviction. Counters could be evicted.`,
    )
  }
  return problems
}

/** Settings that are harmless now but may become a problem. */
function warningsOf({ policy, maxmemory }: ServerFacts): string[] {
  if (policy === "noeviction" || maxmemory > 0) return []
  return [`maxmemory-policy is ${policy}. Nothing is evicted while maxmemory is 0; set noeviction before that changes.`]
}

function durabilityOf({ appendOnly, appendFsync }: ServerFacts): StoreCheck["durability"] {
  if (!appendOnly) return "process"
  return appendFsync === "always" ? "disk" : appendFsync === "everysec" ? "second" : "process"
}
