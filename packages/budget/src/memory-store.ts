import { checkNames, InvalidArgumentError } from "@p2/core"
import { atOnce } from "./at-once"
import { MemoryState } from "./memory/memory-state"
import type { BudgetStore, Millis } from "./store"

export interface MemoryStoreOptions {
  /** Epoch milliseconds. @defaultValue Date.now */
  clock?: (() => Millis) | undefined
  /** How long resolved ids, and cells after the end of their window, are kept, in milliseconds. @defaultValue 3600000 */
  retentionMs?: number | undefined
  /** Most ids (reservations and adjustments, open or resolved). A store that is full refuses. @defaultValue 500000 */
  maxIds?: number | undefined
  /** Most cells. A store that is full refuses what needs a new one. @defaultValue 500000 */
  maxCells?: number | undefined
  /** Most usage entries; the oldest are dropped, and `list` says how many. 0: no ledger. @defaultValue 100000 */
  maxEntries?: number | undefined
  /** Most characters of prompts and answers in all usage entries together. @defaultValue 67108864 */
  maxContentChars?: number | undefined
}

const NAMES: ReadonlySet<string> = new Set([
  "clock",
  "retentionMs",
  "maxIds",
  "maxCells",
  "maxEntries",
  "maxContentChars",
])

/** A store that says how full it is. */
export interface MemoryStore extends BudgetStore {
  /** Ids (reservations and adjustments), cells and usage entries that are held now. */
  size(): { ids: number; cells: number; entries: number }
}

/**
 * A budget store in the memory of this process, with a usage ledger. Its memory is bounded, it refuses when it is full, and
 * it forgets everything when the process ends: `durability` is `"none"`.
 *
 * @throws InvalidArgumentError for an option that is not a whole number in range.
 */
export function memoryStore(options: MemoryStoreOptions = {}): MemoryStore {
  checkNames(options, NAMES, "")
  const state = new MemoryState({
    clock: options.clock ?? Date.now,
    retentionMs: whole(options.retentionMs, 3_600_000, 1, "retentionMs"),
    maxIds: whole(options.maxIds, 500_000, 1, "maxIds"),
    maxCells: whole(options.maxCells, 500_000, 1, "maxCells"),
    maxEntries: whole(options.maxEntries, 100_000, 0, "maxEntries"),
    maxContentChars: whole(options.maxContentChars, 67_108_864, 0, "maxContentChars"),
  })
  return {
    name: "memory",
    capabilities: { shared: false, clock: "process", retentionMs: state.retentionMs, maxCells: state.maxCellsPerCall },
    ledger: state.ledger,
    reserve: atOnce((request) => state.reserve(request)),
    settle: atOnce((request) => state.settle(request)),
    extend: async (request) => state.extend(request),
    read: async (request) => state.read(request),
    adjust: async (request) => state.adjust(request),
    sweep: async (request) => state.sweep(request),
    size: () => state.size(),
    check: async () => ({ ok: true, durability: "none", warnings: [] }),
  }
}

function whole(value: number | undefined, fallback: number, least: number, name: string): number {
  if (value === undefined) return fallback
  if (Number.isSafeInteger(value) && value >= least) return value
  throw new InvalidArgumentError(name, `a whole number of at least ${least}`, value)
}
