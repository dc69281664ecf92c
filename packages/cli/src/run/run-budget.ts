import {
  type Budget,
  createBudget,
  type Limit,
  type LimitStatus,
  memoryStore,
  type Reservation,
  type Subject,
} from "@p2/budget"
import { nameOptions } from "../output/name-options"
import { nameStore } from "../store/name-store"
import { checkWritable, type OpenStore, openStore } from "../store/open-store"
import type { RunOptions } from "./run-options"

/** The counter of a run is forgotten a week after its last call. */
const FORGET_RUN_MS = 7 * 86_400_000

const OPTIONS: Readonly<Record<string, string>> = {
  "limits[0].limit": "--budget",
  "limits[0].per": "--per",
  "limits[0].timeZone": "--time-zone",
  "subject.userId": "--user",
}

/** The budget of a run. */
export interface RunBudget {
  /** What the proxy reserves in. */
  budget: Budget
  subject: Subject
  /** Where the limit is kept, without a password. */
  address: string
  /** The status of the limit in the store. */
  status(): Promise<LimitStatus>
  close(): Promise<void>
}

/**
 * Opens the store and checks that it answers. The limit of `--budget` applies to the run, by its tag; with `--per` it
 * applies to the user, across runs.
 * @throws StoreError
 */
export async function openRunBudget(options: RunOptions, onWarning: (message: string) => void): Promise<RunBudget> {
  const { runId, userId, tags, limit, per, timeZone, program } = options
  const isPerRun = per === undefined
  const runLimit: Limit = isPerRun
    ? { scope: { tag: "run" }, limit, forgetAfterMs: FORGET_RUN_MS }
    : { scope: "user", limit, per, timeZone }
  const open = await nameOptions(() => openStore(options.storeAddress, { limits: [runLimit], onWarning }), OPTIONS)
  const subject = { userId, tags: { program, ...tags, run: runId } }
  const status = async () => (await open.budget.status(subject))[0]!
  const check = () => checkStore(open, options.storeAddress, status)
  await nameStore(options.storeAddress, () => nameOptions(check, OPTIONS))
  const budget = isPerRun ? withParentCap(open.budget, { limit, onWarning }) : open.budget
  return { budget, subject, address: open.address, status, close: open.close }
}

/** Fails before the program starts, not at its first call. */
async function checkStore({ close }: OpenStore, address: string, status: () => Promise<unknown>): Promise<void> {
  try {
    checkWritable(address)
    await status()
  } catch (error) {
    await close()
    throw error
  }
}

/**
 * The same budget with the cap in the memory of this process as well: it holds even if the store's counter is reset,
 * flushed or forgotten during the run. For the proxy, which calls `reserve` and no other member that spends. The parent
 * reserves after the store and settles before it, so that it never denies a call that the store admits.
 */
export function withParentCap(
  budget: Budget,
  { limit, onWarning }: { limit: string; onWarning: (message: string) => void },
): Budget {
  const cap = createBudget({ store: memoryStore(), limits: [{ scope: "total", limit }], onWarning })
  return {
    ...budget,
    get pending() {
      return budget.pending
    },
    reserve: async (options) => {
      const inStore = await budget.reserve(options)
      if (!inStore.ok) return inStore
      const inParent = await cap.reserve({ amount: options.amount })
      if (inParent.ok) return { ok: true, reservation: inBoth(inStore.reservation, inParent.reservation) }
      await inStore.reservation.release()
      return inParent
    },
  }
}

/** Settles both reservations; the store decides the result. What the parent cannot settle stays reserved there, and is charged when its lease ends. */
function inBoth(inStore: Reservation, inParent: Reservation): Reservation {
  return {
    idempotencyKey: inStore.idempotencyKey,
    partition: inStore.partition,
    amount: inStore.amount,
    replayed: inStore.replayed,
    get limits() {
      return inStore.limits
    },
    get expiresAt() {
      return inStore.expiresAt
    },
    settle: async (cost, entry, options) => {
      await inParent.settle(cost, {}, options).catch(() => {})
      return inStore.settle(cost, entry, options)
    },
    release: async (entry) => {
      await inParent.release().catch(() => {})
      return inStore.release(entry)
    },
  }
}
