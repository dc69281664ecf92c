import type { ReserveResult } from "../../store"
import { equal, match, ok } from "../expect"
import {
  adjusted,
  adjustRequest,
  cell,
  expectCell,
  type HeldReservation,
  heldReservation,
  hold,
  LEASE_MS,
  reserveRequest,
} from "../requests"
import { casesOf } from "../store-case"

const ROUNDS = 20

const swapped = <A, B>(a: A, b: B): [B, A] => [b, a]

/** Calls of different members that meet: each member may be one step by itself, and two of them together not. */
export const raceCases = casesOf("concurrency", "One step at a time", [
  [
    "corrections, grants and resets among reservations: none of them writes back what another changed",
    [],
    async (bench) => {
      for (let round = 0; round < ROUNDS; round++) {
        const key = `cell.${round}`
        await adjusted(bench, `s${round}`, key, "spent", 50)
        const kind = (["spent", "granted", "reset"] as const)[round % 3]!
        const delta = kind === "reset" ? 0 : 7
        const [first, second] = await Promise.all([
          hold(bench, `r${round}.0`, [cell(key, 3)]),
          hold(bench, `r${round}.1`, [cell(key, 10)]),
          bench.store.adjust(adjustRequest(bench.root, `a${round}`, key, kind, delta)),
          hold(bench, `r${round}.2`, [cell(key, 100)]),
        ])
        const spent = kind === "reset" ? 0 : kind === "spent" ? 57 : 50
        const granted = kind === "granted" ? 7 : 0
        await expectCell(bench, key, { spent, reserved: 113, granted }, `after a ${kind} among three reserves`)
        await Promise.all([
          first.commit([1]),
          bench.store.adjust(adjustRequest(bench.root, `b${round}`, key, "spent", 5)),
          second.release(),
        ])
        await expectCell(bench, key, { spent: spent + 6, reserved: 100, granted }, "after a correction among settles")
      }
    },
  ],
  [
    "an extend that meets a settle does not bring the reservation back",
    [],
    async (bench) => {
      for (let round = 0; round < ROUNDS; round++) {
        const key = `cell.${round}`
        const id = `r${round}`
        const held = await hold(bench, id, [cell(key, 10)])
        const extend = () => bench.store.extend({ root: bench.root, id, leaseMs: 2 * LEASE_MS })
        const settle = () => (round % 4 < 2 ? held.commit([6]) : held.release())
        const [first, second] = round % 2 === 0 ? [extend, settle] : [settle, extend]
        await Promise.all([first(), second()])
        const state = round % 4 < 2 ? "committed" : "released"
        equal((await extend()).state, state, `round ${round}: the state after both`)
        await expectCell(bench, key, { spent: state === "committed" ? 6 : 0 })
      }
    },
  ],
  [
    "a settle that meets the sweep of its lease is charged once, whichever comes first",
    ["clock"],
    async (bench) => {
      for (const first of ["sweep", "settle"]) {
        const key = (index: number) => `${first}.${index}`
        const held: HeldReservation[] = []
        for (let index = 0; index < ROUNDS; index++)
          held.push(await hold(bench, key(index), [cell(key(index), 10, null, { onExpire: 4 })]))
        await bench.clock.advance(LEASE_MS)
        const settle = () => held.map((one, index) => (index % 2 === 0 ? one.commit([6]) : one.release()))
        const sweep = () => [1, 2, 3].map(() => bench.store.sweep({ root: bench.root, max: ROUNDS }))
        const [sweeps, settles] = first === "sweep" ? [sweep(), settle()] : swapped(settle(), sweep())
        const told = (await Promise.all(sweeps)).flatMap(({ expired }) => expired.map(({ id }) => id))
        equal(new Set(told).size, told.length, "different leases among those that were told as expired")
        for (const [index, answer] of (await Promise.all(settles)).entries()) {
          const [result, spent] = index % 2 === 0 ? ["committed", 6] : ["released", 0]
          match(answer, { result, late: told.includes(key(index)) }, `${first} first: settle of ${key(index)}`)
          await expectCell(bench, key(index), { spent })
        }
      }
    },
  ],
  [
    "reserves and settles of the same cells in opposite orders all get their answer",
    [],
    async (bench) => {
      const keys = ["a", "b", "c"]
      const lanes = Array.from({ length: 16 }, async (_, lane) => {
        for (let round = 0; round < 5; round++) {
          const cells = (lane % 2 === 0 ? keys : [...keys].reverse()).map((key) => cell(key, 2))
          const request = reserveRequest(bench.root, `r${lane}.${round}`, cells)
          const answer: ReserveResult = await bench.store.reserve(request)
          ok(answer.result === "ok", `reserve of ${request.id}: expected ok, got ${answer.result}`)
          await heldReservation(bench.store, request, answer).commit([1, 1, 1])
        }
      })
      await Promise.all(lanes)
      for (const key of keys) await expectCell(bench, key, { spent: 80 })
    },
  ],
])
