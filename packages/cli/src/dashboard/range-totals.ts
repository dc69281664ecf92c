import type { Budget, Subject, UsageGroup, UsageTotals } from "@p2/budget"
import { type GroupView, RANGES, type Range, type Sums, type TotalsView } from "./view"

/** Counts of denials are written up to a minute after the first; entries that are older than this change only by corrections. */
const SETTLED_AFTER_MS = 150_000
/** How long the part of the range that is read at every tick may get. */
const MAX_RECENT_MS = 300_000
/** How often old entries are read again, because corrections may have changed them; more seldom if reading takes long. */
const RELOAD_AFTER_MS = 60_000
/** Reading the whole range may use at most this part of the time. */
const LOAD_SHARE = 1 / 50
const MAX_SERIES = 5
const MAX_ROWS = 50

type Group = Exclude<UsageGroup, "bucket">

/** A kind of group, and the column that it has in a query. */
interface Kind {
  kind: "model" | "user" | "client" | "tag"
  tag: string | null
  column: Group
}

/** The sums of one part of the range. */
interface Part {
  sums: Sums
  /** Cost by model, by start of the bucket. */
  buckets: Map<number, Map<string | null, number>>
  /** One for each kind, by value. */
  groups: Map<string | null, Sums>[]
}

/** The part of the range that is read seldom: `from` to `to`. */
interface Settled {
  from: number
  to: number
  kinds: readonly Kind[]
  part: Part
  loadedAt: number
  loadMs: number
}

export interface RangeTotalsOptions {
  budget: Budget
  partition: Subject | undefined
  range: Range
}

/**
 * Totals of the ledger over a range that ends now. Reading a million entries takes seconds, so the range has two parts: an old one,
 * which is read seldom and grows by what becomes old, and a recent one of a few minutes, which is read at every call.
 */
export class RangeTotals {
  readonly #options: RangeTotalsOptions
  #settled: Settled | undefined
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
    await this.#extend(settled, now)
    const recent = await this.#readRecent(settled, settled.to, undefined)
    return viewOf({ range: this.#options.range, now, from: settled.from }, settled.kinds, [settled.part, recent])
  }

  /** The old part. Starts to read it again if that is due, and waits only if it was never read. */
  async #loaded(now: number, tags: readonly string[]): Promise<Settled> {
    const from = this.#startAt(now)
    if (this.#isDue(now, from, tags))
      this.#loading ??= this.#load(now, from, tags)
        .catch((error: unknown) => {
          this.#loadFailure = { error }
        })
        .finally(() => {
          this.#loading = undefined
        })
    if (this.#settled === undefined) await this.#loading
    const failure = this.#loadFailure
    this.#loadFailure = undefined
    if (failure !== undefined) throw failure.error
    return this.#settled!
  }

  #isDue(now: number, from: number, tags: readonly string[]): boolean {
    const settled = this.#settled
    if (settled === undefined) return true
    const pause = settled.loadMs / LOAD_SHARE
    const isOld = now - settled.loadedAt >= Math.max(RELOAD_AFTER_MS, pause)
    const hasNewTag = tags.some((tag) => !settled.kinds.some((kind) => kind.tag === tag))
    return isOld || ((from > settled.from || hasNewTag) && now - settled.loadedAt >= pause)
  }

  #startAt(now: number): number {
    const { bucketMs, buckets } = RANGES[this.#options.range]
    return (Math.floor(now / bucketMs) - buckets + 1) * bucketMs
  }

  async #load(now: number, from: number, tags: readonly string[]): Promise<void> {
    const start = performance.now()
    const to = Math.max(from, now - SETTLED_AFTER_MS)
    const kinds = kindsOf(tags)
    const part = emptyPart(kinds)
    if (to > from) {
      for (const row of await this.#totals(from, to, ["model"], true)) addToBuckets(part, row, row.group[1] as string)
      // One query for each kind: all kinds in one would give a row for each combination of user, model and tags.
      for (const [index, { column }] of kinds.entries())
        for (const row of await this.#totals(from, to, [column], false))
          addToGroup(part.groups[index]!, row.group[0] as string | null, row)
    }
    const loadMs = performance.now() - start
    this.#settled = { from, to, kinds, part, loadedAt: now, loadMs }
  }

  /** Adds what has become old. */
  async #extend(settled: Settled, now: number): Promise<void> {
    if (now - settled.to < MAX_RECENT_MS) return
    const to = now - SETTLED_AFTER_MS
    const grown = await this.#readRecent(settled, settled.to, to)
    addPart(settled.part, grown)
    settled.to = to
  }

  async #readRecent({ kinds }: Settled, from: number, to: number | undefined): Promise<Part> {
    const part = emptyPart(kinds)
    const columns = kinds.map(({ column }) => column)
    for (const row of await this.#totals(from, to, columns, true)) {
      const [, ...values] = row.group as [number, ...(string | null)[]]
      addToBuckets(part, row, values[0]!)
      for (const [index, value] of values.entries()) addToGroup(part.groups[index]!, value, row)
    }
    return part
  }

  #totals(from: number, to: number | undefined, groupBy: Group[], perBucket: boolean): Promise<UsageTotals[]> {
    const { budget, partition, range } = this.#options
    const per = perBucket ? { per: RANGES[range].bucket } : {}
    return budget.usage.totals({ subject: partition, filter: { from, to }, groupBy, ...per })
  }
}

/** The store's clock, and where the range begins. */
interface RangeTime {
  range: Range
  now: number
  from: number
}

/** The model is first: the series need it. */
function kindsOf(tags: readonly string[]): Kind[] {
  return [
    { kind: "model", tag: null, column: "model" },
    { kind: "user", tag: null, column: "userId" },
    { kind: "client", tag: null, column: "clientId" },
    ...tags.map((tag): Kind => ({ kind: "tag", tag, column: { tag } })),
  ]
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

function sumsOf(row: UsageTotals): Sums {
  const { attempts, denied, failed, expired, costNanoUsd, inDoubt, inDoubtNanoUsd, tokens } = row
  const { inputTokens = 0, outputTokens = 0 } = tokens
  const calls = attempts - denied
  return { calls, failed, expired, denied, costNanoUsd, inDoubt, inDoubtNanoUsd, inputTokens, outputTokens }
}

function addSums(to: Sums, sums: Sums): void {
  for (const name of Object.keys(to) as (keyof Sums)[]) to[name] += sums[name]
}

function addToBuckets(part: Part, row: UsageTotals, model: string | null): void {
  addSums(part.sums, sumsOf(row))
  addToBucket(part.buckets, row.group[0] as number, model, row.costNanoUsd)
}

function addToBucket(buckets: Part["buckets"], start: number, model: string | null, costNanoUsd: number): void {
  if (costNanoUsd === 0) return
  const costs = buckets.get(start) ?? new Map<string | null, number>()
  buckets.set(start, costs.set(model, (costs.get(model) ?? 0) + costNanoUsd))
}

function addToGroup(group: Map<string | null, Sums>, value: string | null, row: UsageTotals): void {
  const sums = group.get(value) ?? emptySums()
  addSums(sums, sumsOf(row))
  group.set(value, sums)
}

function addPart(to: Part, part: Part): void {
  addSums(to.sums, part.sums)
  for (const [start, costs] of part.buckets)
    for (const [model, costNanoUsd] of costs) addToBucket(to.buckets, start, model, costNanoUsd)
  for (const [index, group] of part.groups.entries())
    for (const [value, sums] of group) {
      const known = to.groups[index]!.get(value) ?? emptySums()
      addSums(known, sums)
      to.groups[index]!.set(value, known)
    }
}

function viewOf(time: RangeTime, kinds: readonly Kind[], parts: readonly [Part, Part]): TotalsView {
  const whole = emptyPart(kinds)
  for (const part of parts) addPart(whole, part)
  const groups = kinds.map(({ kind, tag }, index) => {
    const rows = [...whole.groups[index]!].map(([value, sums]): GroupView => ({ value, ...sums }))
    rows.sort(byCost)
    return { kind, tag, rows: rows.slice(0, MAX_ROWS), more: Math.max(0, rows.length - MAX_ROWS) }
  })
  const { range, from } = time
  return {
    range,
    from,
    bucketMs: RANGES[range].bucketMs,
    sums: whole.sums,
    series: seriesOf(time, whole.buckets),
    groups,
  }
}

function byCost(a: GroupView, b: GroupView): number {
  return b.costNanoUsd - a.costNanoUsd || b.calls - a.calls || ((a.value ?? "") < (b.value ?? "") ? -1 : 1)
}

/** Costs by bucket of the most expensive models, and of all others together. */
function seriesOf({ range, now, from }: RangeTime, buckets: Part["buckets"]): TotalsView["series"] {
  const { bucketMs } = RANGES[range]
  const count = Math.floor((now - from) / bucketMs) + 1
  const costs = new Map<string | null, number[]>()
  const sums = new Map<string | null, number>()
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
