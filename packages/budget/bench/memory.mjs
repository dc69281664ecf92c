// Reserve-and-settle pairs per second of the memory store over three cells, without usage entries and with them, beside a
// bare loop of three Map updates. Run `pnpm build` first, then `node bench/memory.mjs [seconds]`.
import { memoryStore } from "../dist/index.js"

const seconds = Number(process.argv[2] ?? 2)
const ROUNDS = 3
// Ids must leave as fast as they come, or the run measures the growth of the heap: the clock is a thousand times faster.
const FAST = 1_000

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

async function pairs(withEntries, ms) {
  const start = performance.now()
  const clock = () => Math.floor(1_000_000 + (performance.now() - start) * FAST)
  const store = memoryStore({ clock, retentionMs: 60_000, maxIds: 5_000_000, maxEntries: withEntries ? 100_000 : 0 })
  const users = Array.from({ length: 1_000 }, (_, user) => cells(`user${user}`, 0, Number.MAX_SAFE_INTEGER))
  const fingerprint = "0123456789abcdefghijkl"
  let done = 0
  while (performance.now() - start < ms) {
    for (let index = 0; index < 1_000; index++, done++) {
      const id = `id-${done}`
      const asked = users[done % users.length]
      const answer = await store.reserve({ root: "main", id, fingerprint, cells: asked, leaseMs: 60_000 })
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
  }
  return done / ((performance.now() - start) / 1_000)
}

async function bareMaps(ms) {
  const spent = new Map()
  const start = performance.now()
  let done = 0
  const step = async (keys, by) => {
    for (const key of keys) spent.set(key, (spent.get(key) ?? 0) + by)
  }
  while (performance.now() - start < ms) {
    for (let index = 0; index < 1_000; index++, done++) {
      const keys = [`user${done % 1_000}`, "web", "total"]
      await step(keys, 1_000)
      await step(keys, -300)
    }
  }
  return done / ((performance.now() - start) / 1_000)
}

const show = (rate) => Math.round(rate).toLocaleString("en-US").padStart(10)
await pairs(false, 500)
await pairs(true, 500)
const ms = (seconds * 1_000) / ROUNDS
for (let round = 1; round <= ROUNDS; round++) {
  const [plain, entries, bare] = [await pairs(false, ms), await pairs(true, ms), await bareMaps(ms)]
  console.log(
    `round ${round}: pairs/s over 3 cells ${show(plain)}   with usage entries ${show(entries)}   ` +
      `bare maps ${show(bare)}   ratio ${(plain / bare).toFixed(2)}`,
  )
}
