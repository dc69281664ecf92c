import { describe, it } from "vitest"
import { memoryStore } from "../src/memory/memory-store"
import { defineStoreSuite, type SuiteFactory } from "../src/testing"

const memoryTarget: SuiteFactory = () => {
  let now = Date.UTC(2026, 0, 31, 23)
  const clock = {
    now: () => now,
    advance: (ms: number) => {
      now += ms
    },
  }
  const store = memoryStore({ now: clock.now })
  const size = () => {
    const { reservations, counters, adjustments } = store.size()
    return reservations + counters + adjustments
  }
  return { store, clock, size }
}

defineStoreSuite({ describe, it }, memoryTarget, {
  name: "the memory store",
  limits: {
    processes: "its state lives in one process",
    ledgerRetention: "its ledger is bounded by number, not by time",
    down: "there is nothing between it and its state",
    loseAnswer: "there is nothing between it and its state",
    damage: "nobody else can write its state",
    restart: "it loses everything when its process ends",
  },
})
