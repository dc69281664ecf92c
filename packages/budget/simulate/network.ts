import type { BudgetStore, ReserveRequest, ReserveResult } from "../src/store"
import { StoreError } from "../src/store-error"
import type { Random } from "../src/testing/random"
import type { SimulatedProcess, VirtualTime } from "./virtual-time"

/** How bad the network is, as probabilities per message. */
export interface Weather {
  drop: number
  duplicate: number
  late: number
}

const TIMEOUT_MS = 500
const MEMBERS = ["reserve", "settle", "extend", "read", "adjust", "sweep"] as const
const LEDGER_MEMBERS = ["record", "get", "list", "totals", "prune"] as const

/** A server with the real store, and the lines that processes have to it. */
export class Network {
  /** Calls that the real store works on now. */
  inFlight = 0
  weather: Weather
  isDown = false
  readonly violations: string[] = []
  /** What happened at the server, in order: the same seed gives the same trace. */
  readonly trace: string[] = []

  constructor(
    private readonly time: VirtualTime,
    private readonly random: Random,
    private readonly server: BudgetStore,
    weather: Weather,
  ) {
    this.weather = weather
  }

  /** The store as a process sees it, from afar. */
  storeFor(process: SimulatedProcess): BudgetStore {
    const far = (owner: object, prefix: string, members: readonly string[]) =>
      Object.fromEntries(
        members.map((member) => [
          member,
          (request: unknown) =>
            this.#send(process, `${prefix}${member}`, owner as Record<string, unknown>, member, request),
        ]),
      )
    const { ledger } = this.server
    return {
      name: "far away",
      capabilities: { ...this.server.capabilities, shared: true, clock: "server" },
      ...far(this.server, "", MEMBERS),
      ledger: ledger === undefined ? undefined : far(ledger, "ledger.", LEDGER_MEMBERS),
    } as unknown as BudgetStore
  }

  #send(
    process: SimulatedProcess,
    name: string,
    owner: Record<string, unknown>,
    member: string,
    request: unknown,
  ): Promise<unknown> {
    const { random, time } = this
    const copy = structuredClone(request)
    return new Promise((resolve, reject) => {
      const unanswered = () => reject(new StoreError("No answer in time.", { code: "unavailable", applied: "maybe" }))
      time.at(time.now + TIMEOUT_MS, process, unanswered)
      const copies = random.chance(this.weather.duplicate) ? 2 : 1
      const arrivals = Array.from({ length: copies }, () => time.now + this.#delay())
      const last = Math.max(...arrivals)
      this.#log(process, name, request, `is sent${copies === 2 ? " twice" : ""}`)
      for (const arrival of arrivals) {
        if (random.chance(this.weather.drop)) continue
        // A line sends again only what it gave up: of two copies the later one is answered.
        const answer = arrival === last ? { resolve, reject } : { resolve: ignore, reject: ignore }
        // What refuses one copy says nothing about the other.
        const refused = copies === 2 ? "maybe" : "no"
        time.at(arrival, undefined, () => this.#arrive(process, name, owner, member, copy, answer, refused))
      }
    })
  }

  #delay(): number {
    return this.random.chance(this.weather.late) ? this.random.integer(300, 3_000) : this.random.integer(0, 40)
  }

  #arrive(
    process: SimulatedProcess,
    name: string,
    owner: Record<string, unknown>,
    member: string,
    request: unknown,
    { resolve, reject }: { resolve: (answer: unknown) => void; reject: (error: unknown) => void },
    applied: "no" | "maybe",
  ): void {
    const { time } = this
    if (this.isDown) {
      this.#log(process, name, request, "finds the server down")
      const refused = new StoreError("The server is down.", { code: "unavailable", applied })
      time.at(time.now + this.#delay(), process, () => reject(refused))
      return
    }
    this.inFlight++
    const answered = (deliver: () => void) => {
      this.inFlight--
      if (!this.random.chance(this.weather.drop)) time.at(time.now + this.#delay(), process, deliver)
    }
    const call = owner[member] as (request: unknown) => Promise<unknown>
    time.runOutside(() =>
      call.call(owner, structuredClone(request)).then(
        (answer) => {
          this.#log(process, name, request, outcomeOf(answer))
          if (member === "reserve") this.#checkAdmission(request as ReserveRequest, answer as ReserveResult)
          answered(() => resolve(structuredClone(answer)))
        },
        (error) => {
          this.#log(process, name, request, `rejects with ${String(error)}`)
          if (!(error instanceof StoreError)) this.violations.push(`${name} rejected with ${String(error)}`)
          answered(() => reject(error))
        },
      ),
    )
  }

  #log(process: SimulatedProcess, name: string, request: unknown, what: string): void {
    const { id = "", outcome = "" } = request as { id?: string; outcome?: string }
    this.trace.push([this.time.now, process.name, name, id, outcome, what].filter((part) => part !== "").join(" "))
  }

  /** No overspend: what is admitted fits, in every cell, at the moment of admission. */
  #checkAdmission(request: ReserveRequest, answer: ReserveResult): void {
    if (answer.result !== "ok" || answer.replayed) return
    for (const [index, cell] of request.cells.entries()) {
      const { spent, reserved, granted } = answer.cells[index]!
      if (cell.limit === null || cell.amount === 0 || spent + reserved <= cell.limit + granted) continue
      this.violations.push(
        `overspend in ${cell.key}: ${spent} + ${reserved} of ${cell.limit} + ${granted} (${request.id})`,
      )
    }
  }
}

const ignore = () => {}

function outcomeOf(answer: unknown): string {
  const { result, state, replayed } = answer as { result?: string; state?: string; replayed?: boolean }
  return [result ?? state ?? "answered", replayed === true ? "again" : ""].join(" ").trim()
}
