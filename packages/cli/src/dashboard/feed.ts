import type { Budget, StoredEntry, Subject } from "@p2/budget"
import { P2Error } from "@p2/core"
import { isReadable, readLimits, subjectsOf } from "./limits"
import { RangeTotals } from "./range-totals"
import type { CallsView, Range, SectionName, Sections, TotalsView } from "./view"

/** Pause between two reads. */
const TICK_MS = 500
/**
 * Reading may take at most this fraction of the time: the page must not slow down the store or the proxy in the same
 * process.
 */
const READ_SHARE = 1 / 5
/** The newest entries that are read at every tick. */
const RECENT_ENTRIES = 200
const MAX_TAGS = 4
/** Number of subjects per kind of group whose limits are shown even without a recent call. */
const MAX_SPENDERS = 8
/** Any counter: it is read only for the store's time in the reply. */
const ANY_COUNTER = "total|usd|total"

export interface FeedOptions {
  budget: Budget
  partition: Subject | undefined
  subjects: () => readonly Subject[] | Promise<readonly Subject[]>
  onlySubjects: boolean
  /** Completes the calls with what this process saw of them. */
  describe: (entries: readonly StoredEntry[]) => CallsView["calls"]
  warn: (message: string, cause?: unknown) => void
}

/** Receives a section when it has changed. */
export type SectionListener = (name: SectionName, json: string) => void

interface Viewer {
  range: Range
  listener: SectionListener
  /** What it received last, by section. */
  sent: Map<SectionName, string>
}

/** Reads the budget while a page is open, and sends changes. All viewers share the reads. */
export class Feed {
  readonly #options: FeedOptions
  readonly #viewers = new Set<Viewer>()
  readonly #totals = new Map<Range, RangeTotals>()
  /** The largest spenders in the ranges that viewers selected. */
  #spenders: readonly Subject[] = []
  #isRunning = false
  #wake: () => void = () => {}
  #hasFailed = false

  constructor(options: FeedOptions) {
    this.#options = options
  }

  get viewers(): number {
    return this.#viewers.size
  }

  /** Sends every section soon, and each again when it changes. Returns a function that ends this. */
  watch(range: Range, listener: SectionListener): () => void {
    const viewer = { range, listener, sent: new Map() }
    this.#viewers.add(viewer)
    this.#wake()
    if (!this.#isRunning) void this.#run()
    return () => {
      this.#viewers.delete(viewer)
    }
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    while (this.#viewers.size > 0) {
      const start = performance.now()
      await this.#tick()
      await this.#pause(Math.max(TICK_MS, (performance.now() - start) * (1 / READ_SHARE - 1)))
    }
    this.#isRunning = false
  }

  /** Ends early when a viewer connects. */
  #pause(durationMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, durationMs)
      // The page must not keep a finished process alive.
      timer.unref()
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  async #tick(): Promise<void> {
    try {
      await this.#read()
      this.#hasFailed = false
      this.#send("problem", { message: null })
    } catch (error) {
      // The budget may have been closed after the last viewer disconnected.
      if (this.#viewers.size === 0) return
      if (!this.#hasFailed) this.#options.warn("The dashboard could not read the store.", error)
      this.#hasFailed = true
      // Other errors may quote an address.
      const reason = P2Error.isInstance(error) ? error.message : "The store could not be read."
      this.#send("problem", { message: reason })
    }
  }

  async #read(): Promise<void> {
    const { budget, partition, subjects, onlySubjects, describe } = this.#options
    const fixed = [{}, ...(await subjects())]
    // Writes the denials of this process that are counted and not recorded yet. A settle that is pending has its own retries.
    if (budget.pending === 0) await budget.flush({ timeoutMs: 0 })
    if (!budget.usage.available) {
      this.#send("limits", await readLimits(budget, fixed))
      return
    }
    const page = await budget.usage.list({ subject: partition, order: "newest", limit: RECENT_ENTRIES })
    const recent = page.entries.filter(({ status }) => status !== "audit")
    const shown = onlySubjects ? fixed : [...fixed, ...this.#spenders, ...subjectsOf(recent)]
    const [limits, now] = await Promise.all([readLimits(budget, shown), storeTime(budget, partition)])
    this.#send("limits", limits)
    this.#send("calls", { calls: describe(recent), cursor: page.cursor, dropped: page.dropped })
    const tags = tagsOf(recent)
    const spenders: Subject[] = []
    for (const range of new Set([...this.#viewers].map((viewer) => viewer.range))) {
      const totals = await this.#totalsOf(range).read(now, tags)
      this.#send("totals", totals, range)
      spenders.push(...spendersOf(totals))
    }
    this.#spenders = spenders
  }

  #totalsOf(range: Range): RangeTotals {
    const { budget, partition } = this.#options
    const totals = this.#totals.get(range) ?? new RangeTotals({ budget, partition, range })
    this.#totals.set(range, totals)
    return totals
  }

  #send<Name extends SectionName>(name: Name, section: Sections[Name], range?: Range): void {
    const json = JSON.stringify(section)
    for (const { range: watched, listener, sent } of this.#viewers) {
      if (range !== undefined && range !== watched) continue
      if (sent.get(name) === json) continue
      sent.set(name, json)
      listener(name, json)
    }
  }
}

function spendersOf({ groups }: TotalsView): Subject[] {
  return groups.flatMap(({ kind, tag, rows }) =>
    rows.slice(0, MAX_SPENDERS).flatMap(({ value }): Subject | [] => {
      if (!isReadable(value)) return []
      if (tag !== null) return { tags: { [tag]: value } }
      return { [{ user: "userId", client: "clientId", model: "model", tag: "" }[kind]]: value }
    }),
  )
}

async function storeTime(budget: Budget, partition: Subject | undefined): Promise<number> {
  const { now } = await budget.store.read({ partition: budget.partitionOf(partition), counters: [ANY_COUNTER] })
  return now
}

/** The tags that most entries have. */
function tagsOf(entries: readonly StoredEntry[]): string[] {
  const counts = new Map<string, number>()
  for (const { tags } of entries) for (const tag of Object.keys(tags ?? {})) counts.set(tag, (counts.get(tag) ?? 0) + 1)
  const sorted = [...counts].sort(([a, countA], [b, countB]) => countB - countA || (a < b ? -1 : 1))
  return sorted.slice(0, MAX_TAGS).map(([tag]) => tag)
}
