import { equal, match, ok } from "../expect"
import { cell, expectCell, hold, reserveRequest } from "../requests"
import { casesOf } from "../store-case"

/** What a single caller sees of the six members, in the ordinary course of things. */
export const contractCases = casesOf("contract", [
  [
    "says its name and capabilities",
    [],
    async ({ store }) => {
      ok(typeof store.name === "string" && store.name.length > 0, "name: expected a string")
      const { shared, clock, retentionMs, maxCells } = store.capabilities
      ok(typeof shared === "boolean", "capabilities.shared: expected a boolean")
      ok(clock === "server" || clock === "process", 'capabilities.clock: expected "server" or "process"')
      ok(Number.isSafeInteger(retentionMs) && retentionMs > 0, "capabilities.retentionMs: expected a positive integer")
      ok(Number.isSafeInteger(maxCells) && maxCells >= 16, "capabilities.maxCells: expected at least 16")
    },
  ],
  [
    "an unseen key reads as zeros",
    [],
    async (bench) => {
      await expectCell(bench, "user:nobody", {})
    },
  ],
  [
    "reserve sets the amount aside in every cell",
    [],
    async (bench) => {
      const request = reserveRequest(bench.root, "r1", [cell("a", 30, 100), cell("b", 5, 10)])
      const answer = await bench.store.reserve(request)
      match(answer, { result: "ok", replayed: false, expired: [], backlog: false }, "reserve")
      equal(
        answer.cells,
        [
          { key: "a", spent: 0, reserved: 30, granted: 0 },
          { key: "b", spent: 0, reserved: 5, granted: 0 },
        ],
        "cells of the answer",
      )
      if (answer.result === "ok") equal(answer.expiresAt, answer.now + request.leaseMs, "expiresAt")
    },
  ],
  [
    "commit replaces the reservation by the truth",
    [],
    async (bench) => {
      const held = await hold(bench, "r1", [cell("a", 30, 100)])
      const answer = await held.commit([12])
      match(answer, { result: "committed", replayed: false, late: false, recovered: false }, "commit")
      equal(answer.cells, [{ key: "a", spent: 12, reserved: 0, granted: 0, peakBefore: 0, peak: 12 }], "cells")
      await expectCell(bench, "a", { spent: 12 })
    },
  ],
])
