import { checkNames, InvalidArgumentError } from "@p2/core"
import type { UsageLedger } from "../ledger"
import type {
  AdjustRequest,
  AdjustResult,
  BudgetStore,
  CellChange,
  CellState,
  Expired,
  ExtendResult,
  Final,
  Millis,
  Name,
  ReserveCell,
  ReserveRequest,
  ReserveResult,
  SettleCell,
  SettleRequest,
  SettleResult,
  StoreCapabilities,
  StoreCheck,
} from "../store"
import {
  checkAdjustRequest,
  checkDraft,
  checkEntry,
  checkExtendRequest,
  checkReadRequest,
  checkReserveRequest,
  checkSettleRequest,
  checkSweepRequest,
} from "../store-checks"
import { StoreError } from "../store-error"
import { attemptTexts } from "./entry"
import { baseOf } from "./names"
import { cellAt, type PackedReply, packedChange, packedState, viewOf, withTexts } from "./packed-reply"
import { arePlainNames, arePlainReserveCells, arePlainSettleCells, isNat } from "./plain-request"
import { chargeLine, entryHead, heldHead, heldRecord, heldUntil, lifeOf, ownCells, type SettledCell } from "./record"
import type { RedisClient } from "./redis-client"
import { RedisConnection } from "./redis-connection"
import { RedisLedger } from "./redis-ledger"
import { loadedScripts, type StoreScripts } from "./scripts"
import { REPLY } from "./scripts/script"
import { checkServer } from "./server-check"

const MAX = Number.MAX_SAFE_INTEGER
const HOUR_MS = 3_600_000
const DAY_MS = 86_400_000
/** Most leases that one step of a sweep ends: about a millisecond of an idle server, as `bench/backlog.mjs` shows. */
const SWEEP_STEP = 32
/** Entries of one chunk of the ledger: what one step of a scan reads. */
const CHUNK_ENTRIES = 512

export interface RedisStoreOptions {
  /** An ioredis `Redis` or `Cluster`. The store works on a duplicate of it and closes only that. */
  client: RedisClient
  /** What the names of all keys begin with: letters, digits and `_ . : -`. @defaultValue "p2" */
  prefix?: string | undefined
  /** How long resolved ids, and cells after the end of their window, are kept, in ms. No lease may be longer. @defaultValue one hour */
  retentionMs?: number | undefined
  /** Whether usage entries are kept. @defaultValue true */
  ledger?: boolean | undefined
  /** How long usage entries are kept, in ms. @defaultValue 90 days */
  ledgerRetentionMs?: number | undefined
  /** How long a call may take, in ms, before it is refused. @defaultValue 500 */
  timeoutMs?: number | undefined
  /** Receives each warning about the server's settings, once. @defaultValue console.warn */
  onWarning?: ((message: string) => void) | undefined
  /** For simulations only: replaces the time of the server. */
  now?: (() => Millis) | undefined
}

/**
 * A store on Redis 6.2 or later, a single server or a Cluster. One script per transition over all cells; the server's time;
 * all keys of a root on one shard. What survives a crash of the server is said by `check()`, and in docs/durability.md.
 *
 * @throws InvalidArgumentError on a wrong option; members reject with `StoreError`
 */
export function redisStore(options: RedisStoreOptions): BudgetStore & { readonly ledger?: UsageLedger | undefined } {
  checkOptions(options)
  return new RedisStore(options)
}

class RedisStore implements BudgetStore {
  readonly name = "redis"
  readonly capabilities: StoreCapabilities
  readonly ledger: UsageLedger | undefined
  readonly #connection: RedisConnection
  readonly #scripts: StoreScripts
  readonly #prefix: string
  readonly #now: () => Millis | ""
  readonly #warn: (message: string) => void
  readonly #warned = new Set<string>()
  readonly #retentionMs: number

  constructor(options: RedisStoreOptions) {
    this.#prefix = options.prefix ?? "p2"
    this.#retentionMs = options.retentionMs ?? HOUR_MS
    this.#now = options.now ?? (() => "")
    this.#warn = options.onWarning ?? ((message) => console.warn(message))
    this.capabilities = { shared: true, clock: "server", retentionMs: this.#retentionMs, maxCells: 32 }
    const ledger = options.ledger ?? true
    this.#scripts = loadedScripts({
      retentionMs: this.#retentionMs,
      ledgerRetentionMs: options.ledgerRetentionMs ?? 90 * DAY_MS,
      chunkEntries: CHUNK_ENTRIES,
      ledger,
    })
    this.#connection = new RedisConnection({
      client: options.client,
      timeoutMs: options.timeoutMs ?? 500,
      prepare: async (own) => this.#tell(await checkServer(own)),
    })
    if (ledger) {
      this.ledger = new RedisLedger({
        connection: this.#connection,
        scripts: this.#scripts,
        prefix: this.#prefix,
        now: this.#now,
      })
    }
  }

  async reserve(request: ReserveRequest): Promise<ReserveResult> {
    this.#checkReserve(request)
    if (request.leaseMs > this.#retentionMs) {
      throw new InvalidArgumentError(
        "leaseMs",
        `at most the store's retention of ${this.#retentionMs} ms`,
        request.leaseMs,
      )
    }
    const { cells } = request
    const base = baseOf(this.#prefix, request.root)
    const args: (string | number)[] = [cells.length + 2, `${base}l`, `${base}r:${request.id}`]
    let [latestStart, earliestEnd] = [0, MAX]
    let numbers = ""
    for (const cell of cells) {
      const { startsAt, endsAt } = cell
      if (startsAt !== null && startsAt > latestStart) latestStart = startsAt
      if (endsAt !== null && endsAt < earliestEnd) earliestEnd = endsAt
      args.push(`${base}c:${cell.key}`)
      numbers += `${cell.amount}\0${cell.limit ?? -1}\0${lifeOf(cell, this.#retentionMs)}\0`
    }
    const until = heldUntil(cells, this.#retentionMs)
    args.push(
      `${this.#now()}\0${request.leaseMs}\0${latestStart}\0${earliestEnd}\0${until}\0${numbers}`,
      heldRecord(request, this.#retentionMs, this.ledger !== undefined),
    )
    return this.#reserved(request, await this.#connection.runPacked(this.#scripts.reserve, args))
  }

  async settle(request: SettleRequest): Promise<SettleResult> {
    this.#checkSettle(request)
    const { cells } = request
    const reply = await this.#connection.runPacked(this.#scripts.settle, this.#settleArgs(request, cells, undefined))
    if (!Array.isArray(reply)) return settled(request, cells, reply)
    const own = ownCells(String(withTexts(this.#soundList(reply, request.root, cells)[1])), request, this.#retentionMs)
    const args = this.#settleArgs(request, own, own)
    const again = await this.#connection.runPacked(this.#scripts.settle, args)
    return settled(request, own, this.#soundBytes(again, request.root, own))
  }

  /** `known`: the cells as the server told them, with when they may leave. */
  #settleArgs(
    request: SettleRequest,
    cells: readonly SettleCell[],
    known: readonly SettledCell[] | undefined,
  ): (string | number)[] {
    const { entry } = request
    const base = baseOf(this.#prefix, request.root)
    const args: (string | number)[] = [cells.length + 2, `${base}l`, `${base}r:${request.id}`]
    const outcome = request.outcome === "commit" ? "c" : "f"
    let numbers = `${this.#now()}\0${outcome}\0${request.revision}\0${request.expiresAt ?? "n"}\0`
    for (let index = 0; index < cells.length; index++) {
      const cell = cells[index]!
      args.push(`${base}c:${cell.key}`)
      const life = known === undefined ? lifeOf(cell, this.#retentionMs) : known[index]!.life
      numbers += `${cell.reserved}\0${cell.amount}\0${life}\0`
    }
    args.push(numbers, heldHead(request.fingerprint, cells), chargeLine(request, cells))
    if (this.ledger !== undefined && entry !== undefined) {
      const [attempt, ...texts] = attemptTexts(entry)
      args.push(entryHead(request, cells) + attempt, ...texts)
    }
    return args
  }

  async extend(request: { root: Name; id: Name; leaseMs: number }): Promise<ExtendResult> {
    checkExtendRequest(request)
    const base = baseOf(this.#prefix, request.root)
    const args = [2, `${base}l`, `${base}r:${request.id}`, this.#now(), request.id, request.leaseMs]
    const reply = await this.#connection.run(this.#scripts.extend, args)
    this.#refuseCorrupt(reply, request.root, [])
    const [, now, state, expiresAt] = reply as unknown as number[]
    if (state === 0) return { now: now!, state: "unknown" }
    if (state === STATE.held) return { now: now!, state: "held", expiresAt: expiresAt! }
    return { now: now!, state: finalOf(state!) }
  }

  async read(request: { root: Name; keys: Name[] }): Promise<{ now: Millis; due: number; cells: CellState[] }> {
    checkReadRequest(request)
    const { root, keys } = request
    const base = baseOf(this.#prefix, root)
    const args = [keys.length + 1, `${base}l`, ...keys.map((key) => `${base}c:${key}`), this.#now()]
    const reply = (await this.#connection.run(this.#scripts.read, args)) as unknown as number[]
    this.#refuseCorrupt(reply, root, keys)
    const cells = keys.map((key, index) => cellState(key, reply, 3 + 3 * index))
    return { now: reply[1]!, due: reply[2]!, cells }
  }

  async adjust(request: AdjustRequest): Promise<AdjustResult> {
    checkAdjustRequest(request)
    const { root, id, cell, kind, delta } = request
    const base = baseOf(this.#prefix, root)
    const reply = (await this.#connection.run(this.#scripts.adjust, [
      2,
      `${base}a:${id}`,
      `${base}c:${cell.key}`,
      this.#now(),
      kind,
      delta,
      `${cell.key} ${kind} ${delta}`,
      cell.startsAt ?? 0,
      cell.endsAt ?? MAX,
      lifeOf(cell, this.#retentionMs),
    ])) as unknown as number[]
    this.#refuseCorrupt(reply, root, [cell.key])
    const [code, now, applied] = reply as [number, number, number]
    const answer = { now, cell: cellChange(cell.key, reply, 3) }
    if (code === REPLY.mismatch) return { ...answer, result: "mismatch" }
    if (code === REPLY.staleWindow) return { ...answer, result: "stale-window" }
    return { ...answer, result: "ok", replayed: code === REPLY.replayed, applied: exact(applied) + 0 }
  }

  async sweep(request: { root: Name; max: number }): Promise<{ now: Millis; expired: Expired[]; more: boolean }> {
    checkSweepRequest(request)
    const base = baseOf(this.#prefix, request.root)
    const expired: Expired[] = []
    for (;;) {
      const step = Math.min(SWEEP_STEP, request.max - expired.length)
      const reply = await this.#connection.run(this.#scripts.sweep, [1, `${base}l`, this.#now(), step])
      const [, now, due, done] = reply as unknown as [number, number, number, number]
      expired.push(...expiredOf(reply.slice(4)))
      if (due === 0 || done === 0 || expired.length >= request.max) return { now, expired, more: due > 0 }
    }
  }

  async check(): Promise<StoreCheck> {
    const own = await this.#connection.connected()
    const found = await this.#connection.inTime(checkServer(own))
    this.#tell(found)
    return found
  }

  async close(): Promise<void> {
    this.#connection.close()
  }

  #tell(found: StoreCheck): void {
    for (const warning of found.warnings) {
      if (this.#warned.has(warning)) continue
      this.#warned.add(warning)
      this.#warn(warning)
    }
  }

  #checkReserve(request: ReserveRequest): void {
    const { maxCells } = this.capabilities
    const plain = arePlainReserveCells(request.cells, maxCells) && arePlainNames(request.root, request.id)
    const rest = isNat(request.leaseMs) && request.leaseMs > 0 && typeof request.fingerprint === "string"
    if (!plain || !rest) checkReserveRequest(request, maxCells)
    else if (request.draft !== undefined) checkDraft(request.draft, "draft")
  }

  #checkSettle(request: SettleRequest): void {
    const { maxCells } = this.capabilities
    const plain = arePlainSettleCells(request.cells, maxCells) && arePlainNames(request.root, request.id)
    const { outcome, expiresAt } = request
    const rest =
      isNat(request.revision) &&
      typeof request.fingerprint === "string" &&
      (outcome === "commit" || outcome === "release") &&
      (expiresAt === null || isNat(expiresAt))
    if (!plain || !rest) checkSettleRequest(request, maxCells)
    else if (request.entry !== undefined) checkEntry(request.entry, "entry")
  }

  #reserved(request: ReserveRequest, reply: PackedReply): ReserveResult {
    const list = Array.isArray(reply) ? this.#soundList(reply, request.root, request.cells) : undefined
    const view = viewOf((list === undefined ? reply : list[0]) as Uint8Array)
    const expired = list === undefined ? [] : expiredOf(withTexts(list.slice(1)) as unknown[])
    const { cells: asked } = request
    const backlog = view.getUint8(1) === 1
    const now = view.getFloat64(2, true)
    const detail = view.getFloat64(10, true)
    const cells: CellState[] = []
    for (let index = 0; index < asked.length; index++) {
      cells.push(packedState(asked[index]!.key, view, cellAt(index, 18, 1)))
    }
    switch (view.getUint8(0)) {
      case REPLY.ok:
        return { now, cells, expired, backlog, result: "ok", replayed: false, expiresAt: detail }
      case REPLY.replayed:
        return { now, cells, expired, backlog, result: "ok", replayed: true, expiresAt: detail }
      case REPLY.mismatch:
        return { now, cells, expired, backlog, result: "mismatch" }
      case REPLY.resolved:
        return { now, cells, expired, backlog, result: "resolved", state: finalOf(detail) }
      case REPLY.staleWindow: {
        const which = indexesOf(asked, (cell) => !isOpen(cell, now))
        return { now, cells, expired, backlog, result: "stale-window", which }
      }
      default: {
        const which = indexesOf(asked, (cell, index) => !fits(cell, cells[index]!))
        return { now, cells, expired, backlog, result: "exceeded", which }
      }
    }
  }

  #soundBytes(reply: PackedReply, root: Name, cells: readonly SettledCell[]): Uint8Array {
    if (!Array.isArray(reply)) return reply
    this.#soundList(reply, root, cells)
    throw new StoreError("Another caller changed the id while it was settled; nothing was applied.", {
      code: "unavailable",
      applied: "no",
    })
  }

  /** A list that tells of no damage. */
  #soundList(list: unknown[], root: Name, cells: readonly { key: Name }[]): unknown[] {
    if (list[0] === REPLY.corrupt) this.#refuseCorrupt(list, root, keysOf(cells))
    return list
  }

  #refuseCorrupt(reply: readonly unknown[], root: Name, keys: readonly Name[]): void {
    if (reply[0] !== REPLY.corrupt) return
    const key = keys[(reply[1] as number) - 1]
    const what = key === undefined ? "The record of the id" : `The cell ${key}`
    throw new StoreError(
      `${what} in the root ${root} holds something that this store did not write. Nothing was applied, and nothing was removed: look at the key in Redis.`,
      { code: "corrupt", applied: "no" },
    )
  }
}

function settled(request: SettleRequest, asked: readonly SettleCell[], reply: Uint8Array): SettleResult {
  const view = viewOf(reply)
  const code = view.getUint8(0)
  const now = view.getFloat64(3, true)
  const cells: CellChange[] = []
  for (let index = 0; index < asked.length; index++) {
    cells.push(packedChange(asked[index]!.key, view, cellAt(index, 11, 2)))
  }
  if (code === REPLY.mismatch) return { now, cells, result: "mismatch" }
  if (code === REPLY.forgotten) return { now, cells, result: "forgotten" }
  return {
    now,
    cells,
    result: request.outcome === "commit" ? "committed" : "released",
    replayed: code === REPLY.replayed,
    late: view.getUint8(1) === 1,
    recovered: view.getUint8(2) === 1,
  }
}

/** Letters of the states, as the scripts keep them. */
const STATE = { held: 104, committed: 99, released: 102, expired: 120 } as const

function finalOf(state: number): Final {
  if (state === STATE.committed) return "committed"
  return state === STATE.released ? "released" : "expired"
}

/** Numbers near 2^53 come as text (`scripts/script.ts` says why). */
function exact(value: number | string | undefined): number {
  return typeof value === "number" ? value : Number(value)
}

function keysOf(cells: readonly { key: Name }[]): Name[] {
  return cells.map((cell) => cell.key)
}

function cellState(key: Name, numbers: readonly number[], at: number): CellState {
  return { key, spent: exact(numbers[at]), reserved: exact(numbers[at + 1]), granted: exact(numbers[at + 2]) }
}

function cellChange(key: Name, numbers: readonly number[], at: number): CellChange {
  return {
    key,
    spent: exact(numbers[at]),
    reserved: exact(numbers[at + 1]),
    granted: exact(numbers[at + 2]),
    peakBefore: exact(numbers[at + 3]),
    peak: exact(numbers[at + 4]),
  }
}

function expiredOf(told: readonly unknown[]): Expired[] {
  return (told as (string | number)[][]).map((lease) => {
    const cells: Expired["cells"] = []
    for (let at = 1; at < lease.length; at += 7) {
      const numbers = lease as number[]
      cells.push({ ...cellChange(lease[at] as string, numbers, at + 1), charged: exact(numbers[at + 6]) })
    }
    return { id: lease[0] as string, cells }
  })
}

function isOpen(cell: ReserveCell, now: Millis): boolean {
  return (cell.startsAt === null || cell.startsAt <= now) && (cell.endsAt === null || now < cell.endsAt)
}

/** The script's own test, said again for the answer: which cells refused. */
function fits(cell: ReserveCell, state: CellState): boolean {
  const { spent, reserved, granted } = state
  const limit = cell.limit === null ? MAX : Math.min(MAX, cell.limit + granted)
  return cell.amount === 0 || (cell.amount <= limit - spent - reserved && cell.amount <= MAX - reserved)
}

function indexesOf<T>(items: readonly T[], test: (item: T, index: number) => boolean): number[] {
  return items.flatMap((item, index) => (test(item, index) ? [index] : []))
}

const PREFIX = /^[A-Za-z0-9_.:-]{1,64}$/

const NAMES: ReadonlySet<string> = new Set([
  "client",
  "prefix",
  "retentionMs",
  "ledger",
  "ledgerRetentionMs",
  "timeoutMs",
  "onWarning",
  "now",
])

function checkOptions(options: RedisStoreOptions): void {
  if (typeof options?.client?.duplicate !== "function") {
    throw new InvalidArgumentError("client", "an ioredis Redis or Cluster", options?.client)
  }
  checkNames(options, NAMES, "")
  if (options.prefix !== undefined && !PREFIX.test(options.prefix)) {
    throw new InvalidArgumentError("prefix", "1 to 64 letters, digits and _ . : -", options.prefix)
  }
  for (const field of ["retentionMs", "ledgerRetentionMs", "timeoutMs"] as const) {
    const value = options[field]
    if (value !== undefined && !(Number.isSafeInteger(value) && value > 0)) {
      throw new InvalidArgumentError(field, "a positive integer of milliseconds", value)
    }
  }
}
