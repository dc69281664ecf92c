import { describe, it } from "vitest"
import { createStore, StoreError } from "../../src/store"
import { defineStoreSuite, type SuiteFactory } from "../../src/testing"
import { TestStorage } from "./test-storage"

const storageTarget: SuiteFactory = () => {
  let now = Date.UTC(2026, 0, 31, 23)
  const clock = {
    now: () => now,
    advance: (ms: number) => {
      now += ms
    },
  }
  const storage = new TestStorage({ now: clock.now })
  return {
    store: createStore(storage),
    clock,
    size: () => storage.size(),
    faults: {
      down: () => {
        storage.failure = new StoreError("The storage is down.", { code: "store-unavailable", applied: "no" })
      },
      up: () => {
        storage.failure = undefined
      },
      loseAnswer: () => {
        storage.losesNextAnswer = true
      },
      damage: ({ partition, kind, key }) => storage.damage(partition, kind, key),
      restart: async () => createStore(new TestStorage({ now: clock.now, state: storage.state })),
    },
  }
}

defineStoreSuite({ describe, it }, storageTarget, {
  name: "createStore on a storage in memory",
  limits: {
    processes: "its state lives in one process",
    ledgerRetention: "it keeps entries until they are pruned",
  },
})
