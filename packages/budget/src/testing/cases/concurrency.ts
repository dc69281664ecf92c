import type { ReserveResult } from "../../store"
import { equal, match, ok } from "../expect"
import { adjustRequest, cell, expectCell, heldReservation, hold, reserveRequest, settleRequest } from "../requests"
import { type CaseBench, casesOf } from "../store-case"

const MANY = 200

const count = <T>(items: readonly T[], test: (item: T) => boolean) => items.filter(test).length
const admitted = (answers: readonly ReserveResult[]) => count(answers, (answer) => answer.result === "ok")

function reserveMany(bench: CaseBench, calls: number, cells: (index: number) => ReturnType<typeof cell>[]) {
  return Promise.all(
    Array.from({ length: calls }, (_, index) =>
      bench.store.reserve(reserveRequest(bench.root, `r${index}`, cells(index))),
    ),
  )
}

/** Many calls in flight at once, in one process. */
export const concurrencyCases = casesOf("concurrency", "One step at a time", [
  [
    "a thousand reservations of $0.10 against $5 admit exactly fifty",
    [],
    async (bench) => {
      const answers = await reserveMany(bench, 1_000, () => [cell("user:u", 100_000_000, 5_000_000_000)])
      equal(admitted(answers), 50, "admitted")
      equal(
        count(answers, (answer) => answer.result === "exceeded"),
        950,
        "refused",
      )
      await expectCell(bench, "user:u", { reserved: 5_000_000_000 })
    },
  ],
  [
    "in three scopes at once, only the tightest decides, and the others hold no more than it",
    [],
    async (bench) => {
      const answers = await reserveMany(bench, MANY, (index) => [
        cell(`user:${index % 10}`, 1, 5),
        cell(`client:${index % 2}`, 1, 17),
        cell("total", 1, 30),
      ])
      equal(admitted(answers), 30, "admitted")
      const keys = [...Array.from({ length: 10 }, (_, index) => `user:${index}`), "client:0", "client:1", "total"]
      const { cells } = await bench.store.read({ root: bench.root, keys })
      const sum = (prefix: string) =>
        cells.filter((state) => state.key.startsWith(prefix)).reduce((total, state) => total + state.reserved, 0)
      equal([sum("user:"), sum("client:"), sum("total")], [30, 30, 30], "reserved by scope")
      for (const state of cells.slice(0, 10)) ok(state.reserved <= 5, `${state.key} holds ${state.reserved} of 5`)
    },
  ],
  [
    "cells in opposite orders neither block each other nor let too much through",
    [],
    async (bench) => {
      const answers = await reserveMany(bench, MANY, (index) => {
        const cells = [cell("a", 1, 40), cell("b", 1, 40), cell("c", 1, 40)]
        return index % 2 === 0 ? cells : cells.reverse()
      })
      equal(admitted(answers), 40, "admitted")
      for (const key of ["a", "b", "c"]) await expectCell(bench, key, { reserved: 40 })
    },
  ],
  [
    "the same reservation sent five times at once is one reservation",
    [],
    async (bench) => {
      const sends = Array.from({ length: 60 }, (_, index) => index).flatMap((index) =>
        Array.from({ length: 1 + (index % 5) }, () =>
          bench.store.reserve(reserveRequest(bench.root, `r${index}`, [cell("a", 1, 1_000)])),
        ),
      )
      const answers = await Promise.all(sends)
      equal(
        count(answers, (answer) => answer.result === "ok" && !answer.replayed),
        60,
        "first answers",
      )
      equal(admitted(answers), answers.length, "every copy is ok")
      await expectCell(bench, "a", { reserved: 60 })
    },
  ],
  [
    "the same commit sent five times at once charges once",
    [],
    async (bench) => {
      const held = await Promise.all(
        Array.from({ length: 20 }, (_, index) => hold(bench, `r${index}`, [cell("a", 10)])),
      )
      const answers = await Promise.all(held.flatMap((one) => Array.from({ length: 5 }, () => one.commit([7]))))
      equal(
        count(answers, (answer) => answer.result === "committed" && !answer.replayed),
        20,
        "first answers",
      )
      equal(
        count(answers, (answer) => answer.result === "committed" && answer.replayed),
        80,
        "replays",
      )
      await expectCell(bench, "a", { spent: 140 })
    },
  ],
  [
    "a commit and a release of one id at once: one of them wins, and the other changes nothing",
    [],
    async (bench) => {
      for (let round = 0; round < 20; round++) {
        const key = `cell.${round}`
        const held = await hold(bench, `r${round}`, [cell(key, 10)])
        const calls = round % 2 === 0 ? [held.commit([6]), held.release()] : [held.release(), held.commit([6])]
        const results = (await Promise.all(calls)).map((answer) => answer.result)
        equal(
          count(results, (result) => result === "mismatch"),
          1,
          `round ${round}: one mismatch in ${results}`,
        )
        await expectCell(bench, key, { spent: results.includes("committed") ? 6 : 0 })
      }
    },
  ],
  [
    "a reserve and a release of an id that both come first: it is never held in the end",
    [],
    async (bench) => {
      for (let round = 0; round < 20; round++) {
        const request = reserveRequest(bench.root, `r${round}`, [cell("a", 10)])
        const release = settleRequest(request, [], { outcome: "release" })
        const calls: Promise<unknown>[] =
          round % 2 === 0
            ? [bench.store.reserve(request), bench.store.settle(release)]
            : [bench.store.settle(release), bench.store.reserve(request)]
        await Promise.all(calls)
        match(await bench.store.reserve(request), { result: "resolved", state: "released" }, `round ${round}`)
      }
      await expectCell(bench, "a", {})
    },
  ],
  [
    "reservations and settlements mixed: what is left is what was committed",
    [],
    async (bench) => {
      let spent = 0
      const lanes = Array.from({ length: 20 }, async (_, lane) => {
        for (let round = 0; round < 10; round++) {
          const request = reserveRequest(bench.root, `r${lane}.${round}`, [
            cell("a", 5, 60),
            cell(`lane:${lane}`, 5, 5),
          ])
          const answer = await bench.store.reserve(request)
          if (answer.result !== "ok") continue
          const state = answer.cells[0]!
          ok(state.reserved <= 60, `never more than 60 reserved, got ${state.reserved}`)
          const held = heldReservation(bench.store, request, answer)
          if (round % 3 === 0) await held.release()
          else {
            await held.commit([lane % 2, lane % 2])
            spent += lane % 2
          }
        }
      })
      await Promise.all(lanes)
      await expectCell(bench, "a", { spent })
    },
  ],
  [
    "a hundred corrections at once add up, each once",
    [],
    async (bench) => {
      const calls = Array.from({ length: 100 }, (_, index) =>
        bench.store.adjust(adjustRequest(bench.root, `a${index % 50}`, "a", "spent", 1 + (index % 50))),
      )
      const answers = await Promise.all(calls)
      equal(
        count(answers, (answer) => answer.result === "ok" && answer.replayed),
        50,
        "replays",
      )
      await expectCell(bench, "a", { spent: (50 * 51) / 2 })
    },
  ],
  [
    "many roots at once stay apart",
    [],
    async (bench) => {
      const roots = Array.from({ length: 20 }, (_, index) => bench.otherRoot(`r${index}`))
      const calls = roots.flatMap((root) =>
        Array.from({ length: 10 }, (_, index) =>
          bench.store.reserve(reserveRequest(root, `r${index}`, [cell("a", 1, 6)])),
        ),
      )
      equal(admitted(await Promise.all(calls)), 120, "admitted")
      for (const root of roots) await expectCell({ store: bench.store, root }, "a", { reserved: 6 })
    },
  ],
])
