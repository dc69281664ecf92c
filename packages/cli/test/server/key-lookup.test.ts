import { expect, it } from "vitest"
import { KeyLookup } from "../../src/server/keys/key-lookup"
import { createKey, createKeyId, hashKey, type KeyRecord } from "../../src/server/keys/virtual-key"

function recordOf(key: string, changes: Partial<KeyRecord> = {}): KeyRecord {
  return { id: createKeyId(), hash: hashKey(key), createdAt: 0, expiresAt: null, revokedAt: null, ...changes }
}

/** A store of one key, which counts its reads. */
function oneKey(key: string) {
  const state = { record: recordOf(key), reads: 0, error: undefined as Error | undefined }
  const find = async (hash: string) => {
    state.reads++
    if (state.error !== undefined) throw state.error
    return hash === state.record.hash ? state.record : undefined
  }
  return { state, find }
}

it("sees a revocation within a second, and reads the store once a second for each key", async () => {
  const key = createKey()
  const { state, find } = oneKey(key)
  let now = 1_000
  const lookup = new KeyLookup({ find }, [], () => now)
  expect(await lookup.find(key)).toEqual(state.record)
  state.record = { ...state.record, revokedAt: now }
  now += 999
  expect(await lookup.find(key)).toBeDefined()
  expect(state.reads).toBe(1)
  now += 1
  expect(await lookup.find(key)).toBeUndefined()
  expect(state.reads).toBe(2)
})

it("ends a key at the instant of its expiry, cached or not", async () => {
  const key = createKey()
  const { state, find } = oneKey(key)
  state.record = { ...state.record, expiresAt: 1_500 }
  let now = 1_499
  const lookup = new KeyLookup({ find }, [], () => now)
  expect(await lookup.find(key)).toBeDefined()
  now = 1_500
  expect(await lookup.find(key)).toBeUndefined()
})

it("does not look up tokens of another form, and looks up an unknown key once a second", async () => {
  const { state, find } = oneKey(createKey())
  const lookup = new KeyLookup({ find }, [], () => 0)
  for (const token of ["", "sk-key", "p2k_short", `${createKey()}x`]) expect(await lookup.find(token)).toBeUndefined()
  expect(state.reads).toBe(0)
  const unknown = createKey()
  expect(await Promise.all([lookup.find(unknown), lookup.find(unknown)])).toEqual([undefined, undefined])
  expect(state.reads).toBe(1)
})

it("rejects while the store fails, and does not remember the failure", async () => {
  const key = createKey()
  const { state, find } = oneKey(key)
  state.error = new Error("down")
  const lookup = new KeyLookup({ find }, [], () => 0)
  await expect(lookup.find(key)).rejects.toThrow("down")
  state.error = undefined
  expect(await lookup.find(key)).toEqual(state.record)
})

it("finds the keys of the configuration without the store", async () => {
  const key = createKey()
  const record = recordOf(key)
  const { state, find } = oneKey(createKey())
  const lookup = new KeyLookup({ find }, [record], () => 0)
  expect(await lookup.find(key)).toEqual(record)
  expect(state.reads).toBe(0)
})
