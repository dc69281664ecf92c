import { checkOptions, InvalidArgumentError } from "@p2/core"
import { BatchQueue, nextTurn, type Outcome } from "./batch-queue"
import type { BudgetStore, Name, StoreCapabilities, StoreCheck } from "./budget-store"
import { managedStorage } from "./managed-storage"
import { MAX_DAMAGED_KEYS, withPartition } from "./partition-check"
import { RecordView, TIME_KEY } from "./record-view"
import { check, integerFrom, MAX_TIMER_MS } from "./shape"
import type { Reads, RecordKind, Storage } from "./storage"
import { storageLedger } from "./storage-ledger"
import { StoreError, unavailable } from "./store-error"
import * as transition from "./transition"

export interface CreateStoreOptions {
  /** How long resolved keys, and counters after the end of their window, are kept, in milliseconds. @defaultValue 3600000 */
  retentionMs?: number | undefined
  /** Maximum number of counters in one call, at least 16. @defaultValue 32 */
  maxCounters?: number | undefined
}

/** A call on a storage: the records that it reads, and what it does with them. */
interface StorageJob<Reply = unknown> {
  reads: Reads["records"]
  /** Whether the reply says that leases are due. */
  needsDue?: boolean
  run(view: RecordView): Reply
}

const OPTION_NAMES: ReadonlySet<string> = new Set(["retentionMs", "maxCounters"])
const DEFAULT_TIMEOUT_MS = 2_000
const DEFAULT_MAX_BATCH = 64
const CALL_MARGIN_MS = 1_000
const TIME = { kind: "time", key: TIME_KEY } as const

/**
 * Creates a budget store with a ledger from a storage. Calls of one partition that arrive during a transaction share the
 * next one. A batch, a read and a page of a list each begin in their own turn of the event loop, so that a storage that
 * replies immediately does not starve timers.
 *
 * @throws InvalidArgumentError
 */
export function createStore(storage: Storage, options: CreateStoreOptions = {}): BudgetStore {
  checkOptions(options, OPTION_NAMES)
  const { retentionMs = 3_600_000, maxCounters = 32 } = options
  check(retentionMs, integerFrom(1), "retentionMs")
  check(maxCounters, integerFrom(16), "maxCounters")
  if (typeof storage?.transaction !== "function")
    throw new InvalidArgumentError("storage", "an object with the members of `Storage`", storage)
  const { name, shared, clock, timeoutMs = DEFAULT_TIMEOUT_MS, maxBatch = DEFAULT_MAX_BATCH } = storage
  check(timeoutMs, integerFrom(1, MAX_TIMER_MS), "timeoutMs")
  // Callers wait longer than a transaction, so that they get the error that says what became of it.
  const callTimeoutMs = Math.min(timeoutMs + CALL_MARGIN_MS, MAX_TIMER_MS)
  const capabilities: StoreCapabilities = { shared, clock, retentionMs, maxCounters, timeoutMs: callTimeoutMs }
  const managed = managedStorage(storage, timeoutMs)
  const queues = new Map<Name, BatchQueue<StorageJob>>()
  let isClosing = false

  function runJob<Reply>(partition: Name, job: StorageJob<Reply>): Promise<Reply> {
    if (isClosing) return Promise.reject(unavailable("The store is closed."))
    let queue = queues.get(partition)
    if (queue === undefined) {
      const run = (jobs: readonly StorageJob[]) => runBatch(partition, jobs)
      const onIdle = () => queues.delete(partition)
      queue = new BatchQueue({ maxBatch, timeoutMs: callTimeoutMs, run, onIdle })
      queues.set(partition, queue)
    }
    return queue.add(job) as Promise<Reply>
  }

  function runBatch(partition: Name, jobs: readonly StorageJob[]): Promise<Outcome[]> {
    const reads = [TIME, ...jobs.flatMap((job) => job.reads)]
    const records = [...new Map(reads.map((each) => [`${each.kind} ${each.key}`, each])).values()]
    // Each call of the batch may expire one of those that are due.
    const due = jobs.some(({ needsDue }) => needsDue) ? jobs.length + 1 : 0
    return managed.transaction(partition, { records, due }, (found) => {
      const view = new RecordView(found, { retentionMs })
      return { result: jobs.map((job) => outcomeOf(job, view)), writes: view.writes() }
    })
  }

  /** Reads in its own turn of the event loop, as the queue does for writes: a storage in this process may reply in the same turn. */
  async function read(partition: Name, kind: RecordKind, keys: readonly Name[], due = 0) {
    await nextTurn()
    const found = await managed.read(partition, { records: [TIME, ...recordsOf(kind, keys)], due })
    return { view: new RecordView(found, { retentionMs }), due: found.due }
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

  const readsOf = (key: Name, counters: readonly Name[]) => [
    ...recordsOf("reservation", [key]),
    ...recordsOf("entry", [key]),
    ...recordsOf("counter", counters),
  ]
  const namesOf = (counters: readonly { name: Name }[]) => counters.map((counter) => counter.name)

  return {
    name,
    capabilities,
    reserve: (request) =>
      step(request, { reads: readsOf(request.key, namesOf(request.counters)), needsDue: true }, (view, moment) =>
        transition.reserve(view.recordsOf(request.key), request, moment, view.hasDue()),
      ),
    settle: (request) =>
      step(request, { reads: readsOf(request.key, namesOf(request.counters)) }, (view, moment) => {
        const isDamaged = view.isDamaged("reservation", request.key)
        return transition.settle(view.recordsOf(request.key), request, moment, isDamaged)
      }),
    extend: (request) =>
      step(request, { reads: recordsOf("reservation", [request.key]) }, (view, moment) =>
        transition.extend(view.recordsOf(request.key), request, moment),
      ),
    expire: (request) => {
      const { key, counters } = request
      return step(request, { reads: readsOf(key, counters) }, (view, moment) => {
        try {
          return transition.expire(view.recordsOf(key), request, moment)
        } catch (error) {
          if (!StoreError.isInstance(error) || error.code !== "store-corrupt") throw error
          view.setAside(key)
          return { reply: { now: moment.now, status: "damaged" }, writes: {} }
        }
      })
    },
    adjust: (request) => {
      const reads = [...recordsOf("adjustment", [request.key]), ...recordsOf("counter", [request.counter.name])]
      return step(request, { reads }, (view, moment) =>
        transition.adjust(view.get("adjustment", request.key), view.counters, request, moment),
      )
    },
    // Bypasses the queue, because a reader does not wait for a writer's lock.
    async read({ partition, counters: names }) {
      const { view, due } = await read(partition, "counter", names, 1)
      const { now } = view.moment()
      return { now, due: due.length > 0, counters: transition.readCounters(view.counters, names, now) }
    },
    async listDue({ partition, limit }) {
      const { due: keys } = await read(partition, "reservation", [], limit)
      const { view } = await read(partition, "reservation", keys)
      const due = keys.map((key) => {
        const reservation = view.isDamaged("reservation", key) ? undefined : view.get("reservation", key)
        return { key, counters: namesOf(reservation?.counters ?? []) }
      })
      return { now: view.moment().now, due }
    },
    async listCounters({ partition, cursor, limit }) {
      await nextTurn()
      const names = await managed.keys(partition, "counter", { after: cursor ?? "", limit })
      const { view } = await read(partition, "counter", names)
      const { now } = view.moment()
      const damaged = names.filter((each) => view.isDamaged("counter", each))
      const kept = names.filter((each) => {
        const counter = damaged.includes(each) ? undefined : view.get("counter", each)
        return counter !== undefined && !transition.isForgotten(counter, now)
      })
      const counters = transition.readCounters(view.counters, kept, now)
      return { now, counters, damaged, cursor: names.length < limit ? null : names.at(-1)! }
    },
    acceptClock: ({ partition }) =>
      runJob(partition, {
        reads: [],
        run(view) {
          const now = view.clock
          const before = view.isDamaged("time", TIME_KEY) ? now : view.moment().now
          view.put("time", TIME_KEY, now)
          return { now, before }
        },
      }),
    async check({ partition } = {}) {
      const checked: StoreCheck = (await managed.check?.()) ?? { ok: true, durability: "none", warnings: [] }
      if (partition === undefined) return checked
      const damaged = await managed.keys(partition, "damaged", { after: "", limit: MAX_DAMAGED_KEYS })
      const { view } = await read(partition, "time", [])
      if (!view.isDamaged("time", TIME_KEY))
        return withPartition(checked, { damaged, clockBehindMs: view.moment().now - view.clock })
      const warning =
        "The latest time of the partition is damaged, so that its calls fail. Repair it with `acceptClock()`."
      const warnings = [...checked.warnings, warning]
      return withPartition({ ...checked, ok: false, warnings }, { damaged, clockBehindMs: 0 })
    },
    ledger: storageLedger(managed, ({ partition, key, entry }) =>
      runJob(partition, {
        reads: recordsOf("entry", [key]),
        run(view) {
          const { now } = view.moment()
          const written = transition.record(view.get("entry", key), { key, entry }, now)
          if (written !== undefined) view.put("entry", key, written)
          return { now }
        },
      }),
    ),
    async close() {
      isClosing = true
      // Reads of this turn begin in the next one.
      await nextTurn()
      await Promise.all([...queues.values()].map(({ idle }) => idle))
      await managed.close?.()
    },
  }
}

function recordsOf(kind: RecordKind, keys: readonly Name[]): Reads["records"] {
  return keys.map((key) => ({ kind, key }))
}

/** A damaged record fails its own call only, not the other calls of the batch. */
function outcomeOf(job: StorageJob, view: RecordView): Outcome {
  try {
    return { status: "done", reply: job.run(view) }
  } catch (error) {
    return { status: "failed", error }
  }
}
