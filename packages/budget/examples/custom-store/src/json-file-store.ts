import type {
  AdjustRequest,
  AdjustResult,
  BudgetStore,
  CellChange,
  ReserveRequest,
  ReserveResult,
  SettleRequest,
  SettleResult,
} from "@p2/budget"
import { InvalidArgumentError } from "@p2/core"
import { checkCells, checkInteger, checkName, checkRootAndId } from "./check-arguments"
import { JsonFile, type State } from "./json-file"
import { type Id, type Root, Rules } from "./root"

export interface JsonFileStoreOptions {
  /** How long resolved ids, and cells after their window, are kept, in milliseconds. @defaultValue one hour */
  retentionMs?: number | undefined
  /** Where the time comes from. @defaultValue Date.now */
  now?: (() => number) | undefined
}

const MAX_CELLS = 32
/** Leases that one reserve ends for others, so that nobody waits long for what strangers left behind. */
const EXPIRE_IN_RESERVE = 16

/**
 * A budget store in one JSON file, for one process at a time. Every change is in the file before it is answered.
 *
 * @param path - The file; made when there is none.
 */
export async function openJsonFileStore(path: string, options: JsonFileStoreOptions = {}): Promise<BudgetStore> {
  const { retentionMs = 3_600_000, now = Date.now } = options
  const file = new JsonFile(path)
  await file.create()
  const rulesOf = (state: State, root: string) => new Rules(rootOf(state, root), now(), retentionMs)
  /** Checks first, then one step on the file. */
  const step =
    <Request extends { root: string }, Answer>(
      check: (request: Request) => void,
      run: (rules: Rules, request: Request, retentionMs: number) => Answer,
    ) =>
    async (request: Request): Promise<Answer> => {
      check(request)
      const copy = structuredClone(request)
      return file.update((state) => run(rulesOf(state, copy.root), copy, retentionMs))
    }
  return {
    name: "json-file",
    capabilities: { shared: false, clock: "process", retentionMs, maxCells: MAX_CELLS },
    reserve: step(checkReserve, reserve),
    settle: step(checkSettle, settle),
    extend: step(checkExtend, extend),
    adjust: step(checkAdjust, adjust),
    sweep: step(checkSweep, (rules, { max }) => {
      const expired = rules.expire(max)
      return { now: rules.now, expired, more: rules.due().length > 0 }
    }),
    async read({ root, keys }) {
      checkName("root", root, 64)
      for (const [index, key] of keys.entries()) checkName(`keys[${index}]`, key, 200)
      return file.look((state) => {
        const rules = rulesOf(state, root)
        return { now: rules.now, due: rules.due().length, cells: keys.map((key) => rules.state(key)) }
      })
    },
    // Nothing forces the file to the disk: what was answered survives the process, not a power cut.
    check: async () => ({ ok: true, durability: "process", warnings: [] }),
  }
}

function rootOf(state: State, name: string): Root {
  const root = state.get(name) ?? { cells: new Map(), ids: new Map(), adjustments: new Map() }
  state.set(name, root)
  return root
}

function reserve(rules: Rules, request: ReserveRequest): ReserveResult {
  const { now, root } = rules
  const expired = rules.expire(EXPIRE_IN_RESERVE, request.id)
  const backlog = rules.due().length > 0
  const answer = () => ({ now, cells: request.cells.map((cell) => rules.state(cell.key)), expired, backlog })
  const which = (test: (cell: ReserveRequest["cells"][number]) => boolean) =>
    request.cells.flatMap((cell, index) => (test(cell) ? [index] : []))

  // The id before the windows: a retry across midnight is the same reservation.
  const known = root.ids.get(request.id)
  if (known !== undefined && known.fingerprint !== request.fingerprint) return { ...answer(), result: "mismatch" }
  if (known?.state === "held") return { ...answer(), result: "ok", replayed: true, expiresAt: known.leaseEnd }
  if (known !== undefined) return { ...answer(), result: "resolved", state: known.state }

  const stale = which((cell) => !rules.isOpen(cell))
  if (stale.length > 0) return { ...answer(), result: "stale-window", which: stale }
  const exceeded = which((cell) => !rules.fits(cell))
  if (exceeded.length > 0) return { ...answer(), result: "exceeded", which: exceeded }

  for (const cell of request.cells) rules.change(cell, { reserved: cell.amount })
  const expiresAt = now + request.leaseMs
  const { fingerprint, cells } = request
  const charged = cells.map(() => 0)
  root.ids.set(request.id, {
    state: "held",
    fingerprint,
    cells,
    leaseEnd: expiresAt,
    charged,
    revision: 0,
    forgetAt: null,
  })
  return { ...answer(), result: "ok", replayed: false, expiresAt }
}

function settle(rules: Rules, request: SettleRequest, retentionMs: number): SettleResult {
  const { now } = rules
  const known = rules.root.ids.get(request.id)
  const state = request.outcome === "commit" ? "committed" : "released"
  const same = (): CellChange[] => request.cells.map((cell) => rules.unchanged(cell.key))
  const replay: SettleResult = { now, cells: same(), result: state, replayed: true, late: false, recovered: false }

  if (known !== undefined && known.fingerprint !== request.fingerprint)
    return { now, cells: same(), result: "mismatch" }
  if (known === undefined) {
    const lost = request.expiresAt === null || now < request.expiresAt + retentionMs
    if (state === "committed" && !lost) return { now, cells: same(), result: "forgotten" }
  } else if (known.state === "released") {
    return state === "released" ? replay : { now, cells: same(), result: "mismatch" }
  } else if (known.state === "committed") {
    if (state === "released") return { now, cells: same(), result: "mismatch" }
    if (request.revision < known.revision) return replay
    if (request.revision === known.revision) {
      const equal = request.cells.every((cell, index) => cell.amount === known.charged[index])
      return equal ? replay : { now, cells: same(), result: "mismatch" }
    }
  }
  const cells = replaceCharge(rules, request, known, state, retentionMs)
  const recovered = known === undefined && state === "committed"
  return { now, cells, result: state, replayed: false, late: known?.state === "expired", recovered }
}

/** What is reserved or charged under the id becomes the truth, down or up, whatever the limits say. */
function replaceCharge(
  rules: Rules,
  request: SettleRequest,
  known: Id | undefined,
  state: "committed" | "released",
  retentionMs: number,
): CellChange[] {
  // The cells of the reserve, by their place: a retry after midnight may name those of the next window.
  const own = known?.cells ?? request.cells.map((cell) => ({ ...cell, amount: 0, limit: null, onExpire: 0 }))
  const charged = own.map((_, index) => (state === "released" ? 0 : (request.cells[index]?.amount ?? 0)))
  const cells = own.map((cell, index) =>
    rules.change(cell, {
      spent: charged[index]! - (known?.charged[index] ?? 0),
      reserved: known?.state === "held" ? -cell.amount : 0,
    }),
  )
  const leaseEnd = known?.leaseEnd ?? request.expiresAt ?? rules.now
  rules.root.ids.set(request.id, {
    state,
    fingerprint: request.fingerprint,
    cells: own,
    leaseEnd,
    charged,
    revision: request.revision,
    // As long as `settle` would take an unknown id for a lost one and charge it, this one must be known.
    forgetAt: Math.max(leaseEnd, rules.now) + retentionMs,
  })
  return cells
}

function extend(rules: Rules, request: { id: string; leaseMs: number }): Awaited<ReturnType<BudgetStore["extend"]>> {
  const { now } = rules
  const known = rules.root.ids.get(request.id)
  if (known === undefined) return { now, state: "unknown" }
  if (known.state !== "held") return { now, state: known.state }
  if (known.leaseEnd <= now) return { now, state: "expired" }
  known.leaseEnd = Math.max(known.leaseEnd, now + request.leaseMs)
  return { now, state: "held", expiresAt: known.leaseEnd }
}

function adjust(rules: Rules, request: AdjustRequest, retentionMs: number): AdjustResult {
  const { now, root } = rules
  const { cell, kind, delta } = request
  const content = `${cell.key} ${kind} ${delta}`
  const known = root.adjustments.get(request.id)
  const same = rules.unchanged(cell.key)
  if (known !== undefined && known.content !== content) return { now, cell: same, result: "mismatch" }
  if (known !== undefined) return { now, cell: same, result: "ok", replayed: true, applied: known.applied }
  if (!rules.isOpen(cell)) return { now, cell: same, result: "stale-window" }

  let changed = rules.change(
    cell,
    kind === "granted" ? { granted: delta } : { spent: kind === "reset" ? -same.spent : delta },
  )
  const applied = kind === "granted" ? changed.granted - same.granted : changed.spent - same.spent
  if (kind === "reset") {
    rules.cell(cell.key).peak = 0
    changed = { ...changed, peak: 0 }
  }
  root.adjustments.set(request.id, { content, applied, forgetAt: now + retentionMs })
  return { now, cell: changed, result: "ok", replayed: false, applied }
}

function checkReserve(request: ReserveRequest): void {
  checkRootAndId(request)
  checkCells(request.cells, ["amount", "onExpire"], MAX_CELLS)
  checkInteger("leaseMs", request.leaseMs, 1)
  for (const [index, cell] of request.cells.entries()) {
    if (cell.limit !== null) checkInteger(`cells[${index}].limit`, cell.limit, 0)
    if (cell.onExpire > cell.amount) {
      throw new InvalidArgumentError(`cells[${index}].onExpire`, "at most the amount", cell.onExpire)
    }
  }
}

function checkSettle(request: SettleRequest): void {
  checkRootAndId(request)
  checkCells(request.cells, ["reserved", "amount"], MAX_CELLS)
  checkInteger("revision", request.revision, 0)
}

function checkExtend(request: { root: string; id: string; leaseMs: number }): void {
  checkRootAndId(request)
  checkInteger("leaseMs", request.leaseMs, 1)
}

function checkAdjust(request: AdjustRequest): void {
  checkRootAndId(request)
  checkCells([request.cell], [], 1)
  checkInteger("delta", request.delta, -Number.MAX_SAFE_INTEGER)
  if (!["spent", "granted", "reset"].includes(request.kind)) {
    throw new InvalidArgumentError("kind", '"spent", "granted" or "reset"', request.kind)
  }
}

function checkSweep(request: { root: string; max: number }): void {
  checkName("root", request.root, 64)
  checkInteger("max", request.max, 1)
}
