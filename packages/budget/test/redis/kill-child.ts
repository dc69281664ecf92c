// One process that is killed: reserves, sends (writes into the provider's file), settles, and stops at a given point.
import { appendFileSync } from "node:fs"
import { Redis } from "ioredis"
import { redisStore } from "../../src/redis"
import { cell, reserveRequest, settleRequest } from "../../src/testing/requests"
import { KILL_POINTS, type KillPoint } from "./kill-points"

const { url, prefix, point, id, bound, cost, leaseMs, provider } = JSON.parse(process.argv[2]!) as {
  url: string
  prefix: string
  point: KillPoint
  id: string
  bound: number
  cost: number
  leaseMs: number
  provider: string
}
if (!KILL_POINTS.includes(point)) throw new Error(`Unknown point ${point}`)

const store = redisStore({ client: new Redis(url, { lazyConnect: true }), prefix, timeoutMs: 10_000 })
const draft = { requestId: id, attempt: 1, model: "m", reservedNanoUsd: bound }
const cells = [cell("user", bound), cell("client", bound), cell("total", bound)]
const request = reserveRequest("main", id, cells, { leaseMs, draft })

async function main(): Promise<void> {
  await at("before reserve")
  const reserving = store.reserve(request)
  await at("reserve sent", 0)
  const held = await reserving
  if (held.result !== "ok") throw new Error(held.result)
  await at("reserved")
  // The provider bills from the moment at which the request arrives.
  appendFileSync(provider, `${id} ${cost}\n`)
  await at("provider called")
  await store.extend({ root: "main", id, leaseMs })
  await at("lease extended")
  const entry = { ...draft, status: "succeeded", tokens: {}, costNanoUsd: cost, costSource: "provider" } as const
  const settling = store.settle(
    settleRequest(request, [cost, cost, cost], { entry, expiresAt: held.expiresAt, revision: 0 }),
  )
  await at("settle sent", 0)
  await settling
  await at("settled")
  await store.settle(settleRequest(request, [cost, cost, cost], { entry, expiresAt: held.expiresAt, revision: 0 }))
  await at("settled again")
}

/** Tells the parent and waits to be killed; with `afterMs`, is killed by itself so long after, while a call is on its way. */
async function at(here: KillPoint, afterMs?: number): Promise<void> {
  if (here !== point) return
  if (afterMs === undefined) {
    process.send!("here")
    await new Promise(() => setInterval(() => {}, 1_000))
  }
  // A turn or two of the loop: sometimes the call has left the process, sometimes not.
  if (Math.random() < 0.5) await new Promise((resolve) => setImmediate(resolve))
  process.kill(process.pid, "SIGKILL")
}

void main()
