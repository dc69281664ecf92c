import type { Millis } from "./shape"
import type { Storage } from "./storage"
import { StoreError, unavailable } from "./store-error"

/** Writes between two steps of housekeeping. */
const FORGET_EVERY = 256
const MAX_RETRY_DELAY_MS = 16

type ManagedMember = "transaction" | "read" | "entries" | "keys" | "prune" | "totals" | "check" | "close"

/**
 * A storage that opens before its first call, retries conflicts for up to `timeoutMs`, regularly deletes forgotten
 * records, and closes when its calls have ended.
 */
export function managedStorage(storage: Storage, timeoutMs: number): Pick<Storage, ManagedMember> {
  const running = new Set<Promise<unknown>>()
  let opening: Promise<void> | undefined
  let closing: Promise<void> | undefined
  let isClosed = false
  let isForgetting = false
  let writesSinceForget = 0

  function run<T>(call: () => Promise<T>): Promise<T> {
    if (isClosed) return Promise.reject(unavailable("The store is closed."))
    opening ??= retryConflicts(async () => storage.open?.(), timeoutMs).catch((error: unknown) => {
      // The next call tries again.
      opening = undefined
      throw error
    })
    const promise = opening.then(() => retryConflicts(call, timeoutMs))
    running.add(promise)
    return promise.finally(() => running.delete(promise))
  }

  function forgetSometimes(writes: number, clock: Millis): void {
    writesSinceForget += writes
    if (writesSinceForget < FORGET_EVERY || storage.forget === undefined || isForgetting) return
    writesSinceForget = 0
    isForgetting = true
    const end = () => {
      isForgetting = false
    }
    // Nothing waits for it, and the next step tries again.
    run(async () => storage.forget?.(clock)).then(end, end)
  }

  async function close(): Promise<void> {
    await Promise.allSettled(running)
    isClosed = true
    // Calls that began while it waited.
    await Promise.allSettled(running)
    await storage.close?.()
  }

  return {
    async transaction(partition, reads, decide) {
      let done = { writes: 0, clock: 0 }
      const result = await run(() =>
        storage.transaction(partition, reads, (found) => {
          const decided = decide(found)
          done = { writes: decided.writes.length, clock: found.clock }
          return decided
        }),
      )
      forgetSometimes(done.writes, done.clock)
      return result
    },
    read: (...args) => run(() => storage.read(...args)),
    entries: (...args) => run(() => storage.entries(...args)),
    keys: (...args) => run(() => storage.keys(...args)),
    prune: (...args) => run(() => storage.prune(...args)),
    ...(storage.totals && { totals: (...args) => run(() => storage.totals!(...args)) }),
    ...(storage.check && { check: () => run(() => storage.check!()) }),
    close() {
      closing ??= close()
      return closing
    },
  }
}

/** Tries again with growing random delays, so that the retries of several processes spread out. */
async function retryConflicts<T>(attempt: () => Promise<T>, timeoutMs: number): Promise<T> {
  const deadline = performance.now() + timeoutMs
  for (let delayMs = 1; ; delayMs = Math.min(2 * delayMs, MAX_RETRY_DELAY_MS)) {
    try {
      return await attempt()
    } catch (error) {
      const isConflict = StoreError.isInstance(error) && error.conflict && error.applied === "no"
      if (!isConflict || performance.now() >= deadline) throw error
      await new Promise((resolve) => setTimeout(resolve, delayMs + Math.random() * delayMs))
    }
  }
}
