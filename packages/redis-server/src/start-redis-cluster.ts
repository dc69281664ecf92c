import { redisCommand } from "./redis-command"
import { type RedisServer, startRedis } from "./start-redis"

const SLOTS = 16_384
const FORM_TIMEOUT_MS = 60_000
const MOVED_AT_ONCE = 10

export interface StartRedisClusterOptions {
  /** How many masters share the slots. @defaultValue 3 */
  nodes?: number | undefined
  /** Further arguments of each redis-server. */
  args?: readonly string[] | undefined
  signal?: AbortSignal | undefined
}

/** A Redis Cluster of masters without replicas, each in its own process. */
export interface RedisCluster {
  readonly nodes: readonly RedisServer[]
  /** Index of the node that serves a slot. */
  ownerOf(slot: number): Promise<number>
  /**
   * Moves a slot with its keys to another node, as `redis-cli --cluster reshard` does: ten keys at a time. Resolves to how
   * many keys it moved.
   */
  moveSlot(slot: number, to: number): Promise<number>
  stop(): Promise<void>
}

/** Starts the nodes, assigns the slots evenly, and resolves when every node reports `cluster_state:ok`. */
export async function startRedisCluster(options: StartRedisClusterOptions = {}): Promise<RedisCluster> {
  const count = options.nodes ?? 3
  const nodes: RedisServer[] = []
  const stop = async () => void (await Promise.all(nodes.map((node) => node.stop())))
  try {
    for (let index = 0; index < count; index++) {
      nodes.push(await startRedis({ args: options.args, cluster: true, signal: options.signal }))
    }
    for (const [index, node] of nodes.entries()) {
      const from = Math.floor((index * SLOTS) / count)
      const to = Math.floor(((index + 1) * SLOTS) / count)
      await redisCommand(node, "CLUSTER", "SET-CONFIG-EPOCH", index + 1)
      // Redis 6 does not support ADDSLOTSRANGE.
      await redisCommand(node, "CLUSTER", "ADDSLOTS", ...Array.from({ length: to - from }, (_, slot) => from + slot))
    }
    for (const node of nodes.slice(1)) await redisCommand(nodes[0]!, "CLUSTER", "MEET", node.host, node.port)
    await Promise.all(nodes.map((node) => untilFormed(node, count)))
  } catch (error) {
    await stop()
    throw error
  }
  return {
    nodes,
    ownerOf: (slot) => ownerOf(nodes, slot),
    moveSlot: (slot, to) => moveSlot(nodes, slot, to),
    stop,
  }
}

async function idOf(node: RedisServer): Promise<string> {
  return String(await redisCommand(node, "CLUSTER", "MYID"))
}

async function ownerOf(nodes: readonly RedisServer[], slot: number): Promise<number> {
  const ranges = (await redisCommand(nodes[0]!, "CLUSTER", "SLOTS")) as [number, number, [string, number]][]
  const range = ranges.find(([first, last]) => first <= slot && slot <= last)!
  return nodes.findIndex(({ port }) => port === range[2][1])
}

async function moveSlot(nodes: readonly RedisServer[], slot: number, to: number): Promise<number> {
  const [source, target] = [nodes[await ownerOf(nodes, slot)]!, nodes[to]!]
  if (source === target) return 0
  const [sourceId, targetId] = await Promise.all([idOf(source), idOf(target)])
  await redisCommand(target, "CLUSTER", "SETSLOT", slot, "IMPORTING", sourceId)
  await redisCommand(source, "CLUSTER", "SETSLOT", slot, "MIGRATING", targetId)
  let moved = 0
  for (;;) {
    const keys = (await redisCommand(source, "CLUSTER", "GETKEYSINSLOT", slot, MOVED_AT_ONCE)) as string[]
    if (keys.length === 0) break
    await redisCommand(source, "MIGRATE", target.host, target.port, "", 0, FORM_TIMEOUT_MS, "KEYS", ...keys)
    moved += keys.length
  }
  // The target first, so that the slot always has an owner.
  for (const node of [target, source, ...nodes]) await redisCommand(node, "CLUSTER", "SETSLOT", slot, "NODE", targetId)
  return moved
}

async function untilFormed(node: RedisServer, count: number): Promise<void> {
  const deadline = Date.now() + FORM_TIMEOUT_MS
  for (;;) {
    const info = String(await redisCommand(node, "CLUSTER", "INFO"))
    if (info.includes("cluster_state:ok") && info.includes(`cluster_size:${count}`)) return
    if (Date.now() > deadline) throw new Error(`The cluster did not form in time:\n${info}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
