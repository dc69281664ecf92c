// What the adapter benchmarks measure: pairs of a reserve and a settle with its usage entry.

export const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)]

/** Reserves in counters without a window and settles, as the budget calls a store. */
export async function pair(store, { partition = "main", key, userId, counters }) {
  const refs = counters.map((name) => ({ name, startsAt: null, endsAt: null, keepMs: null }))
  const about = { partition, key, fingerprint: "f" }
  const entry = {
    ...{ requestId: `request-${key}`, attempt: 1, clientId: "app", userId, tags: { team: "search" } },
    ...{ model: "gpt-4o-mini", provider: "openai", mode: "json_schema", status: "succeeded", costSource: "table" },
    ...{ reservedNanoUsd: 1_000, costNanoUsd: 700, tokens: { inputTokens: 900, outputTokens: 120 }, durationMs: 812 },
  }
  const reserved = await store.reserve({
    ...about,
    leaseMs: 60_000,
    counters: refs.map((ref) => ({ ...ref, amount: 1_000, limit: 2 ** 52, onExpire: 1_000 })),
    pendingEntry: { ...entry, status: "expired" },
  })
  const settled = await store.settle({
    ...about,
    ...{ outcome: "settled", revision: 0, expiresAt: reserved.expiresAt, entry },
    counters: refs.map((ref) => ({ ...ref, reserved: 1_000, amount: 700 })),
  })
  if (settled.status !== "settled") throw new Error(settled.status)
}

/** Runs `pairs` pairs with `callers` callers; resolves to pairs per second. `run(index)` makes one pair. */
export async function pairsPerSecond({ pairs, callers, run }) {
  const start = performance.now()
  const caller = async (lane) => {
    for (let index = lane; index < pairs; index += callers) await run(index)
  }
  await Promise.all(Array.from({ length: callers }, (_, lane) => caller(lane)))
  return pairs / ((performance.now() - start) / 1_000)
}

/** Starts processes and lets them begin together. Each sends "ready", waits for "go" and sends its result. Resolves to the results and seconds. */
export async function runTogether(children) {
  const message = (child) => new Promise((resolve) => child.once("message", resolve))
  const exits = children.map((child) => new Promise((resolve) => child.once("exit", resolve)))
  await Promise.all(children.map(message))
  const start = performance.now()
  const results = children.map(message)
  for (const child of children) child.send("go")
  const done = await Promise.all(results)
  const seconds = (performance.now() - start) / 1_000
  await Promise.all(exits)
  return { results: done, seconds }
}

/** In such a process: waits for "go". */
export async function readyAndGo() {
  process.send("ready")
  await new Promise((resolve) => process.once("message", resolve))
}
