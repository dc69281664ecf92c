import type { StoreCheck } from "../store"
import { StoreError } from "../store-error"
import type { OwnConnection } from "./redis-client"

/** Oldest version whose commands suffice: `SET … PXAT` and `ZADD … XX`. */
const OLDEST = [6, 2] as const

/** What `INFO` and `CONFIG GET` say of one server. */
export interface ServerFacts {
  version: string
  replica: boolean
  policy: string
  maxmemory: number
  appendOnly: boolean
  /** Undefined where `CONFIG` is not allowed. */
  appendFsync: string | undefined
}

const ORDER: readonly StoreCheck["durability"][] = ["none", "process", "second", "disk"]

/** Asks every master. Rejects with a `StoreError` `misconfigured` where money would not be safe. */
export async function checkServer(connection: OwnConnection): Promise<StoreCheck> {
  const servers = connection.isCluster === true ? (connection.nodes?.("master") ?? []) : [connection]
  const facts = await Promise.all(servers.map(readFacts))
  const warnings = new Set<string>()
  let durability: StoreCheck["durability"] = "disk"
  for (const one of facts) {
    refuseUnsafe(one)
    for (const warning of warningsOf(one)) warnings.add(warning)
    if (ORDER.indexOf(durabilityOf(one)) < ORDER.indexOf(durability)) durability = durabilityOf(one)
  }
  return { ok: true, durability, warnings: [...warnings] }
}

async function readFacts(server: OwnConnection): Promise<ServerFacts> {
  const text = await server.info()
  const config = await server.config("GET", "appendfsync").catch(() => undefined)
  const appendFsync = Array.isArray(config)
    ? (config[1] as string | undefined)
    : (config as { appendfsync?: string } | undefined)?.appendfsync
  return factsOf(text, appendFsync)
}

/** Reads the reply of `INFO`. What is absent there counts as unknown, never as good. */
export function factsOf(info: string, appendFsync: string | undefined): ServerFacts {
  const field = (name: string) => new RegExp(`^${name}:(.*)$`, "m").exec(info)?.[1]?.trim()
  return {
    version: field("redis_version") ?? "0.0.0",
    replica: field("role") === "slave",
    policy: field("maxmemory_policy") ?? "unknown",
    maxmemory: Number(field("maxmemory") ?? 0),
    appendOnly: field("aof_enabled") === "1",
    appendFsync,
  }
}

function refuseUnsafe(facts: ServerFacts): void {
  const [major = 0, minor = 0] = facts.version.split(".").map(Number)
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
    throw misconfigured(`Expected Redis ${OLDEST.join(".")} or later, got ${facts.version}. Upgrade the server.`)
  }
  if (facts.replica) {
    throw misconfigured("Expected a master, got a replica. Connect the store to the master, by Sentinel or Cluster.")
  }
  if (facts.maxmemory > 0 && facts.policy !== "noeviction") {
    throw misconfigured(
      `Expected maxmemory-policy noeviction, got ${facts.policy} with a maxmemory of ${facts.maxmemory} bytes: what is spent could be evicted. ` +
        "Set maxmemory-policy noeviction, or give the store a server of its own.",
    )
  }
}

/** What is wrong, but does no harm as things stand. */
function warningsOf(facts: ServerFacts): string[] {
  if (facts.policy === "noeviction") return []
  return [
    `Redis has maxmemory-policy ${facts.policy}. It evicts nothing while maxmemory is 0; set noeviction before that changes.`,
  ]
}

function durabilityOf(facts: ServerFacts): StoreCheck["durability"] {
  if (!facts.appendOnly) return "process"
  return facts.appendFsync === "always" ? "disk" : facts.appendFsync === "everysec" ? "second" : "process"
}

function misconfigured(message: string): StoreError {
  return new StoreError(message, { code: "misconfigured", applied: "no" })
}
