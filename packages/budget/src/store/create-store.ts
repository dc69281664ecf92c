import { checkOptions } from "@p2/core"
import { BatchQueue, nextTurn, type Outcome } from "./batch-queue"
import type { BudgetStore, Name, StoreCapabilities, StoreCheck } from "./budget-store"
import { MAX_DAMAGED_KEYS, withPartition } from "./partition-check"
import { RecordView, TIME_KEY } from "./record-view"
import { check, integerFrom } from "./shape"
import type { RecordKind, Records, Storage } from "./storage"
import { storageLedger } from "./storage-ledger"
import { StoreError } from "./store-error"
import * as transition from "./transition"

export interface CreateStoreOptions {
  /** How long resolved keys, and counters after the end of their window, are kept, in milliseconds. @defaultValue 3600000 */
  retentionMs?: number | undefined
  /** Maximum number of counters in one call, at least 16. @defaultValue 32 */
  maxCounters?: number | undefined
}

/** A call on a storage: the keys that it reads, and what it does with them. */
interface StorageJob<Reply = unknown> {
  reads: Partial<Record<RecordKind, readonly Name[]>>
  /** Whether the reply says that leases are due. */
  needsDue?: boolean
  run(view: RecordView): Reply
}

const OPTION_NAMES: ReadonlySet<string> = new Set(["retentionMs", "maxCounters"])
const DEFAULT_TIMEOUT_MS = 2_000
const DEFAULT_MAX_BATCH = 64

/**
 * Creates a budget store with a ledger from a storage. Calls of one partition that arrive during a transaction share the
 * next one. A batch, a read and a page of a list each begin in their own turn of the event loop, so that a storage
 * that replies at once does not starve timers.
 *
 * @throws InvalidArgumentError
 */
export function createStore(storage: Storage, options: CreateStoreOptions = {}): BudgetStore {
  checkOptions(options, OPTION_NAMES)
  const { retentionMs = 3_600_000, maxCounters = 32 } = options
  check(retentionMs, integerFrom(1), "retentionMs")
  check(maxCounters, integerFrom(16), "maxCounters")
  const { name, shared, clock, timeoutMs = DEFAULT_TIMEOUT_MS, maxBatch = DEFAULT_MAX_BATCH } = storage
  const capabilities: StoreCapabilities = { shared, clock, retentionMs, maxCounters, timeoutMs }
  const queues = new Map<Name, BatchQueue<StorageJob>>()

  async function runJob<Reply>(partition: Name, job: StorageJob<Reply>): Promise<Reply> {
    let queue = queues.get(partition)
    if (queue === undefined) {
      queue = new BatchQueue({ maxBatch, timeoutMs, run: (jobs) => runBatch(partition, jobs) })
      queues.set(partition, queue)
    }
    try {
      return (await queue.add(job)) as Reply
    } finally {
      if (queue.isIdle) queues.delete(partition)
    }
  }

  function runBatch(partition: Name, jobs: readonly StorageJob[]): Promise<Outcome[]> {
    return storage.transaction(
      partition,
      async (records) => {
        // All reads start in one turn, so that a storage can send them together.
        const viewing = viewOf(records)
        const reading = (["reservation", "entry", "counter", "adjustment"] as const).map(async (kind) => {
          const keys = new Set(jobs.flatMap(({ reads }) => reads[kind] ?? []))
          return { kind, texts: keys.size > 0 ? await records.get(kind, [...keys]) : new Map<string, string>() }
        })
        // Each call of the batch may expire one of them.
        const due = jobs.some(({ needsDue }) => needsDue) ? records.due(jobs.length + 1) : []
        const [view, read, dueKeys] = await Promise.all([viewing, Promise.all(reading), due])
        for (const { kind, texts } of read) view.add(kind, texts)
        view.addDue(dueKeys)
        return { result: jobs.map((job) => outcomeOf(job, view)), writes: view.writes() }
      },
      { readOnly: false },
    )
  }

  /** Reads in its own turn of the event loop, as the queue does for writes: a storage in this process may reply in the same turn. */
  async function readOnly<T>(partition: Name, read: (view: RecordView, records: Records) => Promise<T>): Promise<T> {
    await nextTurn()
    const body = async (records: Records) => ({ result: await read(await viewOf(records), records), writes: [] })
    return storage.transaction(partition, body, { readOnly: true })
  }

  async function viewOf(records: Records): Promise<RecordView> {
    const view = new RecordView(records.clock, { retentionMs })
    view.add("time", await records.get("time", [TIME_KEY]))
    return view
  }

  /** Runs a step on the records of a key. */
  function step<Reply>(
    { partition, key }: { partition: Name; key: Name },
    job: Pick<StorageJob, "reads" | "needsDue">,
    decide: (view: RecordView, moment: transition.Moment) => transition.Step<Reply>,
  ): Promise<Reply> {
    const run = (view: RecordView) => {
      const { reply, writes } = decide(view, view.moment())
      view.apply(key, writes)
      return reply
    }
    return runJob(partition, { ...job, run })
  }

  const readsOf = (key: Name, counters: readonly { name: Name }[]) => ({
    reservation: [key],
    entry: [key],
    counter: counters.map((counter) => counter.name),
  })

  return {
    name,
    capabilities,
    reserve: (request) =>
      step(request, { reads: readsOf(request.key, request.counters), needsDue: true }, (view, moment) =>
        transition.reserve(view.recordsOf(request.key), request, moment, view.hasDue()),
      ),
    settle: (request) =>
      step(request, { reads: readsOf(request.key, request.counters) }, (view, moment) => {
        const isDamaged = view.isDamaged("reservation", request.key)
        return transition.settle(view.recordsOf(request.key), request, moment, isDamaged)
      }),
    extend: (request) =>
      step(request, { reads: { reservation: [request.key] } }, (view, moment) =>
        transition.extend(view.recordsOf(request.key), request, moment),
      ),
    expire: (request) => {
      const { key, counters } = request
      return step(request, { reads: { reservation: [key], entry: [key], counter: counters } }, (view, moment) => {
        try {
          return transition.expire(view.recordsOf(key), request, moment)
        } catch (error) {
          if (!StoreError.isInstance(error) || error.code !== "store-corrupt") throw error
          view.setAside(key)
          return { reply: { now: moment.now, status: "damaged" }, writes: {} }
        }
      })
    },
    adjust: (request) =>
      step(request, { reads: { adjustment: [request.key], counter: [request.counter.name] } }, (view, moment) =>
        transition.adjust(view.get("adjustment", request.key), view.counters, request, moment),
      ),
    // Bypasses the queue, because a reader does not wait for a writer's lock.
    read: ({ partition, counters: names }) =>
      readOnly(partition, async (view, records) => {
        view.add("counter", await records.get("counter", names))
        const due = (await records.due(1)).length > 0
        const { now } = view.moment()
        return { now, due, counters: transition.readCounters(view.counters, names, now) }
      }),
    listDue: ({ partition, limit }) =>
      readOnly(partition, async (view, records) => {
        const keys = await records.due(limit)
        view.add("reservation", await records.get("reservation", keys))
        const due = keys.map((key) => {
          const reservation = view.isDamaged("reservation", key) ? undefined : view.get("reservation", key)
          return { key, counters: reservation?.counters.map((counter) => counter.name) ?? [] }
        })
        return { now: view.moment().now, due }
      }),
    async listCounters({ partition, cursor, limit }) {
      await nextTurn()
      const names = await storage.keys(partition, "counter", { after: cursor ?? "", limit })
      return readOnly(partition, async (view, records) => {
        view.add("counter", await records.get("counter", names))
        const { now } = view.moment()
        const damaged = names.filter((each) => view.isDamaged("counter", each))
        const kept = names.filter((each) => {
          const counter = damaged.includes(each) ? undefined : view.get("counter", each)
          return counter !== undefined && !transition.isForgotten(counter, now)
        })
        const counters = transition.readCounters(view.counters, kept, now)
        return { now, counters, damaged, cursor: names.length < limit ? null : names.at(-1)! }
      })
    },
    acceptClock: ({ partition }) =>
      runJob(partition, {
        reads: {},
        run(view) {
          const now = view.clock
          const before = view.isDamaged("time", TIME_KEY) ? now : view.moment().now
          view.put("time", TIME_KEY, now)
          return { now, before }
        },
      }),
    async check({ partition } = {}) {
      const checked: StoreCheck = (await storage.check?.()) ?? { ok: true, durability: "none", warnings: [] }
      if (partition === undefined) return checked
      const damaged = await storage.keys(partition, "damaged", { after: "", limit: MAX_DAMAGED_KEYS })
      return readOnly(partition, async (view) => {
        if (!view.isDamaged("time", TIME_KEY))
          return withPartition(checked, { damaged, clockBehindMs: view.moment().now - view.clock })
        const warning =
          "The latest time of the partition is damaged, so that its calls fail. Mend it with `acceptClock()`."
        const warnings = [...checked.warnings, warning]
        return withPartition({ ...checked, ok: false, warnings }, { damaged, clockBehindMs: 0 })
      })
    },
    ledger: storageLedger(storage, ({ partition, key, entry }) =>
      runJob(partition, {
        reads: { entry: [key] },
        run(view) {
          const { now } = view.moment()
          const written = transition.record(view.get("entry", key), { key, entry }, now)
          if (written !== undefined) view.put("entry", key, written)
          return { now }
        },
      }),
    ),
    close: async () => storage.close?.(),
  }
}

/** A damaged record fails its own call only, not the other calls of the batch. */
function outcomeOf(job: StorageJob, view: RecordView): Outcome {
  try {
    return { status: "done", reply: job.run(view) }
  } catch (error) {
    return { status: "failed", error }
  }
}
