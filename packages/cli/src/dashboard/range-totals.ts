import type { Budget, StoredEntry, Subject } from "@p2/budget"
import { type GroupView, RANGES, type Range, type Sums, type TotalsView } from "./view"

/**
 * Entries that are older than this change only by corrections: another process writes its counts of denials up to a minute after the
 * first denial.
 */
const SETTLED_AFTER_MS = 75_000
/** How long the part of the range that is read every time may get. */
const MAX_RECENT_MS = 90_000
/**
 * How often old entries are read again, because corrections may have changed them; less often if reading takes long.
 */
const RELOAD_AFTER_MS = 60_000
/** Reading the whole range may take at most this fraction of the time. */
const LOAD_SHARE = 1 / 50
/** How long the first view may wait for the whole range; then it shows what has been read. */
const FIRST_WAIT_MS = 1_000
/**
 * Stores on a database read at most 1,000 entries at a time, and one more than a page to know whether it is the last.
 */
const PAGE = 999
const MAX_SERIES = 5
const MAX_ROWS = 50

/** A kind of group. */
interface Kind {
  kind: "model" | "user" | "client" | "tag"
  tag: string | null
}

/** The sums of one part of the range. */
interface Part {
  sums: Sums
  /** Cost by model, by start of the bucket. */
  buckets: Map<number, Map<string, number>>
  /** One for each kind, by value. */
  groups: Map<string | null, Sums>[]
}

/** The part of the range that is rarely read: `from` to `to`. */
interface SettledPart {
  from: number
  to: number
  kinds: readonly Kind[]
  part: Part
  loadedAt: number
  /** Undefined: it is still being read for the first time. */
  loadMs: number | undefined
}

export interface RangeTotalsOptions {
  budget: Budget
  partition: Subject | undefined
  range: Range
}

/**
 * Totals of the ledger over a range that ends now. Reading a million entries takes half a minute, so the range has two
 * parts: an old one, which is rarely read and to which entries are added as they age, and a recent one of a minute or
 * so, which is read at every call.
 *
 * `usage.totals` would read the ledger once for each kind of group: all kinds in one query have a row for each combination of
 * user, model, tags and bucket.
 */
export class RangeTotals {
  readonly #options: RangeTotalsOptions
  #settled: SettledPart | undefined
  #loading: Promise<void> | undefined
  #loadFailure: { error: unknown } | undefined

  constructor(options: RangeTotalsOptions) {
    this.#options = options
  }

  /**
   * @param now the store's clock
   * @param tags the tags to group by
   */
  async read(now: number, tags: readonly string[]): Promise<TotalsView> {
    const settled = await this.#loaded(now, tags)
    if (settled.loadMs !== undefined) await this.#extend(settled, now)
    const recent = emptyPart(settled.kinds)
    await this.#addEntries(recent, settled.kinds, { from: settled.to })
    return viewOf({ range: this.#options.range, now }, settled, recent)
  }

  /** The old part. Starts reading it again if that is due; waits briefly if it was never read. */
  async #loaded(now: number, tags: readonly string[]): Promise<SettledPart> {
    if (this.#isDue(now, tags))
      this.#loading ??= this.#load(now, tags)
        .catch((error: unknown) => {
          if (this.#settled?.loadMs === undefined) this.#settled = undefined
          this.#loadFailure = { error }
        })
        .finally(() => {
          this.#loading = undefined
        })
    if (this.#loading !== undefined && this.#settled?.loadMs === undefined)
      await Promise.race([this.#loading, wait(FIRST_WAIT_MS)])
    const failure = this.#loadFailure
    this.#loadFailure = undefined
    if (failure !== undefined) throw failure.error
    return this.#settled!
  }

  #isDue(now: number, tags: readonly string[]): boolean {
    const settled = this.#settled
    if (settled?.loadMs === undefined) return true
    const pause = settled.loadMs / LOAD_SHARE
    const isOld = now - settled.loadedAt >= Math.max(RELOAD_AFTER_MS, pause)
    const hasNewTag = tags.some((tag) => !settled.kinds.some((kind) => kind.tag === tag))
    return isOld || ((this.#startAt(now) > settled.from || hasNewTag) && now - settled.loadedAt >= pause)
  }

  #startAt(now: number): number {
    const { bucketMs, buckets } = RANGES[this.#options.range]
    return (Math.floor(now / bucketMs) - buckets + 1) * bucketMs
  }

  async #load(now: number, tags: readonly string[]): Promise<void> {
    const start = performance.now()
    const from = this.#startAt(now)
    const to = Math.max(from, now - SETTLED_AFTER_MS)
    const kinds = kindsOf(tags)
    const settled: SettledPart = { from, to, kinds, part: emptyPart(kinds), loadedAt: now, loadMs: undefined }
    // During the first read, the partial sums are shown.
    this.#settled ??= settled
    await this.#addEntries(settled.part, kinds, { from, to })
    this.#settled = { ...settled, loadMs: performance.now() - start }
  }

  /** Adds what has become old. */
  async #extend(settled: SettledPart, now: number): Promise<void> {
    if (now - settled.to < MAX_RECENT_MS) return
    const to = now - SETTLED_AFTER_MS
    const grown = emptyPart(settled.kinds)
    await this.#addEntries(grown, settled.kinds, { from: settled.to, to })
    addPart(settled.part, grown)
    settled.to = to
  }

  /** Adds the entries of a time, newest first. */
  async #addEntries(part: Part, kinds: readonly Kind[], filter: { from: number; to?: number }): Promise<void> {
    const { budget, partition, range } = this.#options
    let cursor: string | null = null
    let { to } = filter
    do {
      const query = { subject: partition, filter: { ...filter, to }, cursor, limit: PAGE, order: "newest" } as const
      const page: Awaited<ReturnType<Budget["usage"]["list"]>> = await budget.usage.list(query)
      for (const entry of page.entries) addEntry(part, kinds, RANGES[range].bucketMs, entry)
      cursor = page.cursor
      // SQLite finds the start of a page by `to`; by the cursor alone it would pass over all earlier pages.
      const last = page.entries.at(-1)
      if (last !== undefined) to = last.at + 1
    } while (cursor !== null)
  }
}

function wait(durationMs: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, durationMs).unref()
  })
}

function kindsOf(tags: readonly string[]): Kind[] {
  const kinds = (["model", "user", "client"] as const).map((kind): Kind => ({ kind, tag: null }))
  return [...kinds, ...tags.map((tag): Kind => ({ kind: "tag", tag }))]
}

function groupValue({ kind, tag }: Kind, { model, userId, clientId, tags }: StoredEntry): string | null {
  if (tag !== null) return tags !== undefined && Object.hasOwn(tags, tag) ? tags[tag]! : null
  return { model, user: userId, client: clientId, tag: undefined }[kind] ?? null
}

function emptyPart(kinds: readonly Kind[]): Part {
  return { sums: emptySums(), buckets: new Map(), groups: kinds.map(() => new Map()) }
}

function emptySums(): Sums {
  return {
    calls: 0,
    failed: 0,
    expired: 0,
    denied: 0,
    costNanoUsd: 0,
    inDoubt: 0,
    inDoubtNanoUsd: 0,
    inputTokens: 0,
    outputTokens: 0,
  }
}

/** As `usage.totals` counts: a denial has a count, and audits do not count as attempts. */
function sumsOf({ status, count = 1, costNanoUsd, inDoubt, tokens }: StoredEntry): Sums {
  const isDenied = status === "denied"
  return {
    calls: isDenied ? 0 : 1,
    failed: status === "failed" ? 1 : 0,
    expired: status === "expired" ? 1 : 0,
    denied: isDenied ? count : 0,
    costNanoUsd,
    inDoubt: inDoubt ? 1 : 0,
    inDoubtNanoUsd: inDoubt ? costNanoUsd : 0,
    inputTokens: tokens.inputTokens ?? 0,
    outputTokens: tokens.outputTokens ?? 0,
  }
}

function addEntry(part: Part, kinds: readonly Kind[], bucketMs: number, entry: StoredEntry): void {
  if (entry.status === "audit") return
  const sums = sumsOf(entry)
  addSums(part.sums, sums)
  addToBucket(part.buckets, Math.floor(entry.at / bucketMs) * bucketMs, entry.model, entry.costNanoUsd)
  for (const [index, kind] of kinds.entries()) addToGroup(part.groups[index]!, groupValue(kind, entry), sums)
}

function addSums(to: Sums, sums: Sums): void {
  for (const name of Object.keys(to) as (keyof Sums)[]) to[name] += sums[name]
}

function addToBucket(buckets: Part["buckets"], start: number, model: string, costNanoUsd: number): void {
  if (costNanoUsd === 0) return
  const costs = buckets.get(start) ?? new Map<string, number>()
  buckets.set(start, costs.set(model, (costs.get(model) ?? 0) + costNanoUsd))
}

function addToGroup(group: Map<string | null, Sums>, value: string | null, sums: Sums): void {
  const known = group.get(value)
  if (known === undefined) group.set(value, { ...sums })
  else addSums(known, sums)
}

function addPart(to: Part, part: Part): void {
  addSums(to.sums, part.sums)
  for (const [start, costs] of part.buckets)
    for (const [model, costNanoUsd] of costs) addToBucket(to.buckets, start, model, costNanoUsd)
  for (const [index, group] of part.groups.entries())
    for (const [value, sums] of group) addToGroup(to.groups[index]!, value, sums)
}

function viewOf(time: { range: Range; now: number }, settled: SettledPart, recent: Part): TotalsView {
  const { kinds, from, loadMs } = settled
  const whole = emptyPart(kinds)
  for (const part of [settled.part, recent]) addPart(whole, part)
  const groups = kinds.map(({ kind, tag }, index) => {
    const rows = [...whole.groups[index]!].map(([value, sums]): GroupView => ({ value, ...sums }))
    rows.sort(byCost)
    return { kind, tag, rows: rows.slice(0, MAX_ROWS), more: Math.max(0, rows.length - MAX_ROWS) }
  })
  const { range, now } = time
  const series = seriesOf({ range, now, from }, whole.buckets)
  const isComplete = loadMs !== undefined
  return { range, from, bucketMs: RANGES[range].bucketMs, isComplete, sums: whole.sums, series, groups }
}

function byCost(a: GroupView, b: GroupView): number {
  return b.costNanoUsd - a.costNanoUsd || b.calls - a.calls || ((a.value ?? "") < (b.value ?? "") ? -1 : 1)
}

/** Costs by bucket of the most expensive models, and of all others together. */
function seriesOf(
  { range, now, from }: { range: Range; now: number; from: number },
  buckets: Part["buckets"],
): TotalsView["series"] {
  const { bucketMs } = RANGES[range]
  const count = Math.floor((now - from) / bucketMs) + 1
  const costs = new Map<string, number[]>()
  const sums = new Map<string, number>()
  for (const [start, byModel] of buckets) {
    const index = (start - from) / bucketMs
    if (index < 0 || index >= count) continue
    for (const [model, costNanoUsd] of byModel) {
      const series = costs.get(model) ?? Array<number>(count).fill(0)
      series[index]! += costNanoUsd
      costs.set(model, series)
      sums.set(model, (sums.get(model) ?? 0) + costNanoUsd)
    }
  }
  const models = [...sums].sort((a, b) => b[1] - a[1]).map(([model]) => model)
  const isOverfull = models.length > MAX_SERIES
  const shown = isOverfull ? models.slice(0, MAX_SERIES - 1) : models
  const series = shown.map((model) => ({ model, isRest: false, costsNanoUsd: costs.get(model)! }))
  if (!isOverfull) return series
  const rest = models.slice(MAX_SERIES - 1).map((model) => costs.get(model)!)
  const costsNanoUsd = rest.reduce((sum, each) => sum.map((cost, index) => cost + each[index]!))
  return [...series, { model: null, isRest: true, costsNanoUsd }]
}
