interface CountedStorage {
  run<T>(store: true, fn: () => T): T
  getStore(): true | undefined
}

/** One storage per process: the ESM and the CommonJS copy of this package share it. Null: the runtime has none. */
const STORAGE = Symbol.for("@p2/guard/counted-call")
const shared = globalThis as { [STORAGE]?: CountedStorage | null }

/**
 * Sends a call whose upper bound is reserved. A guarded `fetch` rejects calls that it receives inside, because it would count
 * them a second time. Without AsyncLocalStorage it does not notice them.
 */
export function sendCounted<T>(send: () => T): T {
  if (shared[STORAGE] === undefined) shared[STORAGE] = createStorage()
  const storage = shared[STORAGE]
  return storage === null ? send() : storage.run(true, send)
}

/** Whether a caller of this function has reserved the call that is being sent. */
export function isCounted(): boolean {
  return shared[STORAGE]?.getStore() === true
}

function createStorage(): CountedStorage | null {
  const Storage = asyncLocalStorage<CountedStorage>()
  return Storage === undefined ? null : new Storage()
}

/** The runtime's AsyncLocalStorage, without an import that other runtimes cannot resolve. */
export function asyncLocalStorage<Storage>(): (new () => Storage) | undefined {
  const { process, AsyncLocalStorage } = globalThis as {
    process?: { getBuiltinModule?(id: string): { AsyncLocalStorage: new () => Storage } | undefined }
    AsyncLocalStorage?: new () => Storage
  }
  return process?.getBuiltinModule?.("node:async_hooks")?.AsyncLocalStorage ?? AsyncLocalStorage
}
