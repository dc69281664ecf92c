// A process that will be killed: reserves, sends (writes into the provider's file), settles, and stops at a given point.
import { appendFileSync } from "node:fs"
import { redisStore } from "../../src/redis"
import { counter, reserveRequest, settleRequest, usageEntry } from "../../src/testing/requests"
import { connect } from "./connect"
import { KILL_POINTS, type KillPoint } from "./kill-points"

const { urls, prefix, point, key, bound, cost, leaseMs, provider } = JSON.parse(process.argv[2]!) as {
  urls: string[]
  prefix: string
  point: KillPoint
  key: string
  bound: number
  cost: number
  leaseMs: number
  provider: string
}
if (!KILL_POINTS.includes(point)) throw new Error(`Unknown point ${point}`)

const store = redisStore({ client: connect(urls), prefix, timeoutMs: 10_000 })
const counters = ["user", "client", "total"].map((name) => counter(name, bound))
const request = reserveRequest("main", key, counters, { leaseMs })

async function main(): Promise<void> {
  await at("before reserve")
  const reserving = store.reserve(request)
  await at("reserve sent", { byItself: true })
  const held = await reserving
  if (held.status !== "ok") throw new Error(held.status)
  await at("reserved")
  // The provider bills from the moment at which the request arrives.
  appendFileSync(provider, `${key} ${cost}\n`)
  await at("provider called")
  await store.extend({ partition: "main", key, leaseMs })
  await at("lease extended")
  const entry = usageEntry(key, cost, { costSource: "provider" })
  const settle = settleRequest(request, [cost, cost, cost], { entry, expiresAt: held.expiresAt })
  const settling = store.settle(settle)
  await at("settle sent", { byItself: true })
  await settling
  await at("settled")
  await store.settle(settle)
  await at("settled again")
}

/** Reports to the parent and waits to be killed; `byItself`: kills itself while a call is running. */
async function at(here: KillPoint, { byItself = false } = {}): Promise<void> {
  if (here !== point) return
  if (!byItself) {
    process.send!("here")
    await new Promise(() => setInterval(() => {}, 1_000))
  }
  // After one or two turns of the event loop, the call may or may not have left the process.
  if (Math.random() < 0.5) await new Promise((resolve) => setImmediate(resolve))
  process.kill(process.pid, "SIGKILL")
}

void main()
