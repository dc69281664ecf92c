interface CountedStorage {
  run<T>(store: true, fn: () => T): T
  getStore(): true | undefined
}

/** One storage per process: the ESM and the CommonJS copy of this package share it. Null: the runtime has none. */
const STORAGE = Symbol.for("@p2/guard/counted-call")
const shared = globalThis as { [STORAGE]?: CountedStorage | null }

/**
 * Sends a call whose upper bound is reserved. A guarded `fetch` rejects calls that it receives inside, because it would count
 * them a second time. Without AsyncLocalStorage it does not notice them. A call that `watchSend` can observe does not need this.
 */
export function sendCounted<T>(send: () => T): T {
  if (shared[STORAGE] === undefined) shared[STORAGE] = createStorage()
  const storage = shared[STORAGE]
  return storage === null ? send() : storage.run(true, send)
}

/** Headers that identify a request. OpenAI logs the first (https://platform.openai.com/docs/api-reference/debugging-requests). */
export const ID_HEADERS = ["x-client-request-id", "x-p2-request-id"] as const

/** The ids of the calls that are being sent. The copies of this package in a process share them. */
const IDS = Symbol.for("@p2/guard/counted-ids")
const sharedIds = globalThis as { [IDS]?: Set<string> }

/** The ids in {@link ID_HEADERS} of calls whose upper bound is reserved. They are recognized without AsyncLocalStorage. */
export function countedIds(): Set<string> {
  sharedIds[IDS] ??= new Set()
  return sharedIds[IDS]
}

/** Whether the call that is being sent is reserved: by a caller of this function, or by the sender of its headers. */
export function isCounted(headers: Headers): boolean {
  if (shared[STORAGE]?.getStore() === true) return true
  return ID_HEADERS.some((name) => countedIds().has(headers.get(name) ?? ""))
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
