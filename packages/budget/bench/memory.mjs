// Reserve-and-settle pairs per second of the memory store over three counters, as the budget calls it (through
// `checkedStore`), without usage entries and with them, compared with a bare loop of three Map updates. Per second of processor
// time, so that other work on the machine does not count.
// Run `pnpm build` first, then `node bench/memory.mjs [pairs]`.
import { memoryStore } from "../dist/index.js"
import { checkedStore } from "../dist/store.js"

const PAIRS = Number(process.argv[2] ?? 400_000)
const ROUNDS = 5
// The store's clock advances by a millisecond every ten pairs, so that keys are forgotten as fast as they are added and
// about 60,000 are kept.
const PAIRS_PER_MS = 10
const LEASE_MS = 1_000
const RETENTION_MS = 5_000

function processorSeconds() {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000_000
}

// Object literals, because objects built by spreading are slower to read than those that the budget builds.
const counterOf = (name, startsAt, endsAt) => ({
  name,
  startsAt,
  endsAt,
  keepMs: null,
  amount: 1_000,
  limit: null,
  onExpire: 1_000,
})

const countersOf = (user) => [
  counterOf(`u=${user}|usd|total`, null, null),
  counterOf("c=web|usd|0-33zyr3i8", 0, 8_000_000_000_000),
  counterOf("total|usd|total", null, null),
]

const entryOf = (key, status, costSource) => ({
  requestId: key,
  attempt: 1,
  model: "openai/gpt-4o-mini",
  reservedNanoUsd: 1_000,
  status,
  tokens: { inputTokens: 100, outputTokens: 20 },
  costNanoUsd: 700,
  costSource,
})

async function pairs(withEntries, count) {
  let done = 0
  const now = () => 1_000_000 + Math.floor(done / PAIRS_PER_MS)
  const options = { now, retentionMs: RETENTION_MS, maxEntries: withEntries ? 100_000 : 0 }
  const store = checkedStore(memoryStore(options), { trustsRequests: true })
  const users = Array.from({ length: 1_000 }, (_, user) => countersOf(`user${user}`))
  const fingerprint = "0123456789abcdefghijkl"
  const start = processorSeconds()
  for (; done < count; done++) {
    const key = `key-${done}`
    const counters = users[done % users.length]
    const reply = await store.reserve({
      partition: "main",
      key,
      fingerprint,
      counters,
      leaseMs: LEASE_MS,
      pendingEntry: entryOf(key, "expired", "bound"),
    })
    if (reply.status !== "ok") throw new Error(`reserve: ${reply.status}`)
    const settled = await store.settle({
      partition: "main",
      key,
      fingerprint,
      outcome: "settled",
      revision: 0,
      counters: counters.map(({ name, startsAt, endsAt }) => ({
        name,
        startsAt,
        endsAt,
        keepMs: null,
        reserved: 1_000,
        amount: 700,
      })),
      expiresAt: reply.expiresAt,
      entry: entryOf(key, "succeeded", "table"),
    })
    if (settled.status !== "settled") throw new Error(`settle: ${settled.status}`)
  }
  return count / (processorSeconds() - start)
}

async function bareMaps(count) {
  const spent = new Map()
  const start = processorSeconds()
  const step = async (names, by) => {
    for (const name of names) spent.set(name, (spent.get(name) ?? 0) + by)
  }
  for (let done = 0; done < count; done++) {
    const names = [`user${done % 1_000}`, "web", "total"]
    await step(names, 1_000)
    await step(names, -300)
  }
  return count / (processorSeconds() - start)
}

const show = (rate) => Math.round(rate).toLocaleString("en-US").padStart(10)
await pairs(false, PAIRS / 4)
await pairs(true, PAIRS / 4)
for (let round = 1; round <= ROUNDS; round++) {
  const [plain, entries, bare] = [await pairs(false, PAIRS), await pairs(true, PAIRS), await bareMaps(PAIRS)]
  console.log(
    `round ${round}: pairs/s over 3 counters ${show(plain)}   with usage entries ${show(entries)}   ` +
      `bare maps ${show(bare)}   ratio ${(plain / bare).toFixed(2)}`,
  )
}
