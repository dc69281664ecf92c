import { InvalidArgumentError } from "@p2/core"
import type { StoredEntry, UsageEntry, UsageFilter, UsageLedger, UsageTotals } from "../ledger"
import { matchesFilter, UsageFold } from "../ledger-fold"
import type { Millis, Name } from "../store"
import { checkListRequest, checkPruneRequest, checkRecordRequest, checkTotalsRequest } from "../store-checks"
import { attemptTexts, compareEntries, readEntry, textsOf } from "./entry"
import { baseOf } from "./names"
import type { RedisConnection } from "./redis-connection"
import type { StoreScripts } from "./scripts"

type Requested<Member extends keyof UsageLedger> = Parameters<UsageLedger[Member]>[0]

/** Where a scan stands: the entry it read last. */
interface Place {
  at: Millis
  id: Name
}

/** Entries written by the scripts that move the money, read back step by step through the index. */
export class RedisLedger implements UsageLedger {
  readonly #connection: RedisConnection
  readonly #scripts: StoreScripts
  readonly #prefix: string
  readonly #now: () => Millis | ""

  constructor(options: {
    connection: RedisConnection
    scripts: StoreScripts
    prefix: string
    now: () => Millis | ""
  }) {
    this.#connection = options.connection
    this.#scripts = options.scripts
    this.#prefix = options.prefix
    this.#now = options.now
  }

  async record(request: Requested<"record">): Promise<{ now: Millis }> {
    checkRecordRequest(request)
    const { id, entry } = request
    const base = baseOf(this.#prefix, request.root)
    const [attempt, ...texts] = attemptTexts(entry)
    const keys = [`${base}l`, `${base}u:n`, `${base}r:${id}`]
    const args = [keys.length, ...keys, this.#now(), `${id} 0\n${attempt}`, id, ...texts]
    const reply = await this.#connection.run(this.#scripts.ledgerRecord, args)
    return { now: reply[1] as number }
  }

  async get(request: Requested<"get">): Promise<StoredEntry[]> {
    const { root, requestId } = request
    checkListRequest({ root, filter: { requestId }, limit: 1 })
    const entries: StoredEntry[] = []
    for await (const entry of this.#scan(root, { requestId }, false)) entries.push(entry)
    return entries.sort((a, b) => a.attempt - b.attempt)
  }

  async list(request: Requested<"list">): Promise<{ entries: StoredEntry[]; cursor: string | null; dropped: number }> {
    checkListRequest(request)
    const entries: StoredEntry[] = []
    const newest = request.order === "newest"
    for await (const entry of this.#scan(request.root, request.filter, newest, placeOf(request.cursor))) {
      if (entries.length === request.limit) {
        const { at, id } = entries.at(-1)!
        return { entries, cursor: `${at}/${id}`, dropped: 0 }
      }
      entries.push(entry)
    }
    return { entries, cursor: null, dropped: 0 }
  }

  async totals(request: Requested<"totals">): Promise<UsageTotals[]> {
    checkTotalsRequest(request)
    const fold = new UsageFold({ groupBy: request.groupBy, buckets: request.buckets })
    for await (const entry of this.#scan(request.root, request.filter, false)) fold.add(entry)
    return fold.totals()
  }

  async prune(request: Requested<"prune">): Promise<{ removed: number }> {
    checkPruneRequest(request)
    const before = Math.max(0, Math.min(request.before, LAST_INSTANT))
    const key = `${baseOf(this.#prefix, request.root)}u:i`
    let [chunk, offset, removed] = ["", 0, 0]
    do {
      const reply = await this.#connection.run(this.#scripts.ledgerPrune, [1, key, before, chunk, offset])
      removed += reply[1] as number
      chunk = reply[2] as string
      offset = reply[3] as number
    } while (chunk !== "")
    return { removed }
  }

  /** Every entry that matches, in order of (at, id), read chunk by chunk in steps that the server can afford. */
  async *#scan(root: Name, filter: UsageFilter, newest: boolean, after?: Place): AsyncGenerator<StoredEntry> {
    const sign = newest ? -1 : 1
    let [from, to] = [Math.max(0, filter.from ?? 0), Math.min(filter.to ?? LAST_INSTANT, LAST_INSTANT)]
    if (after !== undefined && newest) to = Math.min(to, after.at + 1)
    if (after !== undefined && !newest) from = Math.max(from, after.at)
    const key = `${baseOf(this.#prefix, root)}u:i`
    const rest = [requestOf(filter), ...textsOf(filter)]
    let [behind, inside, offset] = ["", "", 0]
    let found: StoredEntry[] = []
    for (;;) {
      const args = [1, key, this.#now(), from, to, newest ? 1 : 0, behind, inside, offset, ...rest]
      const reply = await this.#connection.run(this.#scripts.ledgerScan, args)
      for (let index = 3; index < reply.length; index += 2) {
        const { entry, shortened } = readEntry(reply[index] as string, reply[index + 1] as string)
        if (after !== undefined && compareEntries(entry, after) * sign <= 0) continue
        if (matchesFilter(entry, filter)) found.push(shortened ? await this.#withTexts(root, entry) : entry)
      }
      const [, chunk, next] = reply as [number, string, number]
      if (next >= 0) {
        inside = chunk
        offset = next
        continue
      }
      yield* found.sort((a, b) => compareEntries(a, b) * sign)
      if (chunk === "") return
      found = []
      behind = chunk
      inside = ""
    }
  }

  /** An entry with its prompt and answer, which are kept apart where they are long. */
  async #withTexts(root: Name, entry: StoredEntry): Promise<StoredEntry> {
    const key = `${baseOf(this.#prefix, root)}u:b:${entry.id}`
    const [, whole] = await this.#connection.run(this.#scripts.ledgerTexts, [1, key])
    if (typeof whole !== "string") return entry
    const { prompt, answer } = JSON.parse(whole) as UsageEntry
    return { ...entry, ...(prompt === undefined ? {} : { prompt }), ...(answer === undefined ? {} : { answer }) }
  }
}

/** 15 digits hold every instant until the year 33,658. */
const LAST_INSTANT = 999_999_999_999_999

/** The request as the places in a chunk name it, or "" where they do not know it: texts with a quote. */
function requestOf(filter: UsageFilter): string {
  const text = filter.requestId === undefined ? "" : JSON.stringify(filter.requestId).slice(1, -1)
  return text.includes('"') ? "" : text
}

function placeOf(cursor: string | undefined): Place | undefined {
  if (cursor === undefined) return undefined
  const match = /^(\d{1,15})\/([A-Za-z0-9_.:|=-]{1,64})$/.exec(cursor)
  if (match === null) throw new InvalidArgumentError("cursor", "a cursor that `list` returned", cursor)
  return { at: Number(match[1]), id: match[2]! }
}
