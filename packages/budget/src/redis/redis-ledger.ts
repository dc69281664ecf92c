import { InvalidArgumentError } from "@p2/core"
import type { StoredEntry, UsageEntry, UsageFilter, UsageLedger, UsageTotals } from "../ledger"
import { matchesFilter, UsageFold } from "../ledger-fold"
import type { Millis, Name } from "../store"
import { checkListRequest, checkPruneRequest, checkRecordRequest, checkTotalsRequest } from "../store-checks"
import { StoreError } from "../store-error"
import { baseOf, indexPart, indexParts } from "./names"
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
    const reply = await this.#connection.run(this.#scripts.ledgerRecord, [
      3,
      `${base}l`,
      `${base}u:n`,
      `${base}u:e:${id}`,
      this.#now(),
      id,
      indexParts(entry),
      JSON.stringify(entry),
    ])
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
    const before = padded(Math.max(0, Math.min(request.before, LAST_INSTANT)))
    const key = `${baseOf(this.#prefix, request.root)}u:i`
    for (let removed = 0; ; ) {
      const reply = await this.#connection.run(this.#scripts.ledgerPrune, [1, key, before])
      removed += reply[1] as number
      if (reply[2] === 0) return { removed }
    }
  }

  /** Every entry that matches, in order of (at, id), read in steps that the server can afford. */
  async *#scan(root: Name, filter: UsageFilter, newest: boolean, after?: Place): AsyncGenerator<StoredEntry> {
    const key = `${baseOf(this.#prefix, root)}u:i`
    const part = narrowestPart(filter)
    let [low, high] = [`[${padded(filter.from ?? 0)}`, `(${padded(filter.to ?? LAST_INSTANT)}`]
    if (after !== undefined && newest) high = lower(high, `(${padded(after.at)}:${after.id}`)
    if (after !== undefined && !newest) low = higher(low, `(${padded(after.at)}:${after.id}`)
    let chunk = newest ? "+inf" : "-inf"
    for (;;) {
      const reply = await this.#connection.run(this.#scripts.ledgerScan, [
        1,
        key,
        part,
        low,
        high,
        newest ? 1 : 0,
        chunk,
      ])
      for (let index = 2; index < reply.length; index += 2) {
        const member = reply[index] as string
        if (newest) high = `(${member}`
        else low = `(${member}`
        const stored = reply[index + 1] as string | null
        // The index may outlive an entry that left at the end of its retention.
        if (stored === null) continue
        const entry = readEntry(member.slice(16), stored)
        if (matchesFilter(entry, filter)) yield entry
      }
      chunk = reply[1] as string
      if (chunk === "") return
    }
  }
}

/** 15 digits hold every instant until the year 33,658. */
const LAST_INSTANT = 999_999_999_999_999

function padded(at: Millis): string {
  return String(Math.max(0, Math.min(at, LAST_INSTANT))).padStart(15, "0")
}

function lower(a: string, b: string): string {
  return a.slice(1) < b.slice(1) ? a : b
}

function higher(a: string, b: string): string {
  return a.slice(1) > b.slice(1) ? a : b
}

/** The index part that the fewest entries have: a request's, a user's, a client's, or everybody's. */
function narrowestPart(filter: UsageFilter): string {
  if (filter.requestId !== undefined) return indexPart("q", filter.requestId)
  if (filter.userId !== undefined) return indexPart("u", filter.userId)
  if (filter.clientId !== undefined) return indexPart("c", filter.clientId)
  return "t"
}

function placeOf(cursor: string | undefined): Place | undefined {
  if (cursor === undefined) return undefined
  const match = /^(\d{1,15})\/([A-Za-z0-9_.:|=-]{1,64})$/.exec(cursor)
  if (match === null) throw new InvalidArgumentError("cursor", "a cursor that `list` returned", cursor)
  return { at: Number(match[1]), id: match[2]! }
}

/** An entry as `scripts/lua-ledger.ts` writes it. */
function readEntry(id: Name, stored: string): StoredEntry {
  const [first = "", , charges = "", json = ""] = splitLines(stored)
  const [at, revision, mark] = first.split(" ")
  try {
    const entry = JSON.parse(json) as UsageEntry
    const amounts: [Name, number][] = []
    const words = charges === "" ? [] : charges.split(" ")
    for (let index = 0; index < words.length; index += 2) amounts.push([words[index]!, Number(words[index + 1])])
    // A release without an entry took the money back, so that the entry of the expiry no longer holds.
    const taken = mark === "r" ? ({ status: "released", costNanoUsd: 0, costSource: "none" } as const) : {}
    return { ...entry, ...taken, id, at: Number(at), revision: Number(revision), charges: Object.fromEntries(amounts) }
  } catch (cause) {
    throw new StoreError(`The usage entry ${id} holds something that this store did not write.`, {
      code: "corrupt",
      applied: "no",
      cause,
    })
  }
}

/** The three lines before the JSON, and the JSON. */
function splitLines(stored: string): string[] {
  const lines: string[] = []
  let from = 0
  for (let line = 0; line < 3; line++) {
    const end = stored.indexOf("\n", from)
    if (end === -1) return []
    lines.push(stored.slice(from, end))
    from = end + 1
  }
  lines.push(stored.slice(from))
  return lines
}
