// Reserve-and-settle pairs per second of the memory store over three cells, without usage entries and with them, beside a
// bare loop of three Map updates. Per second of processor time, so that other work on the machine does not count.
// Run `pnpm build` first, then `node bench/memory.mjs [pairs]`.
import { memoryStore } from "../dist/index.js"

const PAIRS = Number(process.argv[2] ?? 400_000)
const ROUNDS = 5
// The store's clock moves a millisecond every ten pairs, so that ids leave as they come and about 60,000 are held.
const PAIRS_PER_MS = 10
const LEASE_MS = 1_000
const RETENTION_MS = 5_000

function processorSeconds() {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000_000
}

function cells(user, startsAt, endsAt) {
  const fixed = { keepMs: null, amount: 1_000, limit: null, onExpire: 1_000 }
  return [
    { key: `u=${user}|nanoUsd|day.UTC.0`, startsAt: null, endsAt: null, ...fixed },
    { key: "c=web|nanoUsd|month.UTC.0", startsAt, endsAt, ...fixed },
    { key: "total|nanoUsd|total", startsAt: null, endsAt: null, ...fixed },
  ]
}

const entryOf = (id) => ({
  requestId: id,
  attempt: 1,
  model: "openai/gpt-4o-mini",
  reservedNanoUsd: 1_000,
  status: "succeeded",
  tokens: { inputTokens: 100, outputTokens: 20 },
  costNanoUsd: 700,
  costSource: "table",
})

async function pairs(withEntries, count) {
  let done = 0
  const clock = () => 1_000_000 + Math.floor(done / PAIRS_PER_MS)
  const store = memoryStore({ clock, retentionMs: RETENTION_MS, maxEntries: withEntries ? 100_000 : 0 })
  const users = Array.from({ length: 1_000 }, (_, user) => cells(`user${user}`, 0, Number.MAX_SAFE_INTEGER))
  const fingerprint = "0123456789abcdefghijkl"
  const start = processorSeconds()
  for (; done < count; done++) {
    const id = `id-${done}`
    const asked = users[done % users.length]
    const answer = await store.reserve({ root: "main", id, fingerprint, cells: asked, leaseMs: LEASE_MS })
    if (answer.result !== "ok") throw new Error(`reserve: ${answer.result}`)
    const settled = await store.settle({
      root: "main",
      id,
      fingerprint,
      outcome: "commit",
      revision: 0,
      cells: asked.map((cell) => ({
        key: cell.key,
        startsAt: cell.startsAt,
        endsAt: cell.endsAt,
        keepMs: null,
        reserved: 1_000,
        amount: 700,
      })),
      expiresAt: answer.expiresAt,
      entry: withEntries ? entryOf(id) : undefined,
    })
    if (settled.result !== "committed") throw new Error(`settle: ${settled.result}`)
  }
  return count / (processorSeconds() - start)
}

async function bareMaps(count) {
  const spent = new Map()
  const start = processorSeconds()
  const step = async (keys, by) => {
    for (const key of keys) spent.set(key, (spent.get(key) ?? 0) + by)
  }
  for (let done = 0; done < count; done++) {
    const keys = [`user${done % 1_000}`, "web", "total"]
    await step(keys, 1_000)
    await step(keys, -300)
  }
  return count / (processorSeconds() - start)
}

const show = (rate) => Math.round(rate).toLocaleString("en-US").padStart(10)
await pairs(false, PAIRS / 4)
await pairs(true, PAIRS / 4)
for (let round = 1; round <= ROUNDS; round++) {
  const [plain, entries, bare] = [await pairs(false, PAIRS), await pairs(true, PAIRS), await bareMaps(PAIRS)]
  console.log(
    `round ${round}: pairs/s over 3 cells ${show(plain)}   with usage entries ${show(entries)}   ` +
      `bare maps ${show(bare)}   ratio ${(plain / bare).toFixed(2)}`,
  )
}
