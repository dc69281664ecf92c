import type { BudgetStore } from "../src/store/budget-store"
import { StoreError } from "../src/store/store-error"
import type { Random } from "../src/testing/random"
import type { Journal } from "./journal"
import type { SimulatedProcess, VirtualTime } from "./virtual-time"

/** How bad the network is, as probabilities per message. */
export interface Weather {
  drop: number
  duplicate: number
  delay: number
}

/** The store's own timeout, after which a process gives up. */
export const TIMEOUT_MS = 500
const MEMBERS = [
  "reserve",
  "settle",
  "extend",
  "expire",
  "listDue",
  "read",
  "adjust",
  "listCounters",
  "acceptClock",
  "check",
] as const
const LEDGER_MEMBERS = ["record", "get", "list", "totals", "prune"] as const

/** One call of the store, on its way. */
interface Message {
  process: SimulatedProcess
  /** Member of the store, or `ledger.` and member of its ledger. */
  name: string
  request: unknown
  call: (request: unknown) => Promise<unknown>
}

interface Receiver {
  resolve: (reply: unknown) => void
  reject: (error: unknown) => void
}

/** A server with the real store, and the connections that processes have to it. */
export class Network {
  /** Calls that the real store is executing. */
  inFlight = 0
  weather: Weather
  isDown = false
  readonly violations: string[] = []
  /** What happened at the server, in order: the same seed gives the same trace. */
  readonly trace: string[] = []
  /** Members and the statuses that they replied, such as `settle other-counters`. */
  readonly replies = new Set<string>()

  constructor(
    private readonly time: VirtualTime,
    private readonly random: Random,
    private readonly server: BudgetStore,
    private readonly journal: Journal,
    weather: Weather,
  ) {
    this.weather = weather
  }

  /** The store as a process sees it through the network. */
  storeFor(process: SimulatedProcess): BudgetStore {
    const remote = (owner: object, prefix: string, members: readonly string[]) =>
      Object.fromEntries(
        members.map((member) => {
          const local = (owner as Record<string, (request: unknown) => Promise<unknown>>)[member]!
          const call = (request: unknown) => local.call(owner, request)
          return [member, (request: unknown) => this.#send({ process, name: `${prefix}${member}`, request, call })]
        }),
      )
    const { ledger, capabilities } = this.server
    return {
      name: "remote",
      capabilities: { ...capabilities, shared: true, clock: "server", timeoutMs: TIMEOUT_MS },
      ...remote(this.server, "", MEMBERS),
      ledger: ledger === undefined ? undefined : remote(ledger, "ledger.", LEDGER_MEMBERS),
    } as unknown as BudgetStore
  }

  /** A message that is lost, or whose reply is lost, is never answered: the budget gives up after the store's timeout. */
  #send(given: Message): Promise<unknown> {
    const { random, time } = this
    const message = { ...given, request: structuredClone(given.request) }
    return new Promise((resolve, reject) => {
      const copies = random.chance(this.weather.duplicate) ? 2 : 1
      const arrivals = Array.from({ length: copies }, () => time.now + this.#delay())
      const last = Math.max(...arrivals)
      this.#log(message, `is sent${copies === 2 ? " twice" : ""}`)
      for (const arrival of arrivals) {
        if (random.chance(this.weather.drop)) continue
        // A connection sends again only what it gave up: of two copies the later one is answered.
        const receiver = arrival === last ? { resolve, reject } : { resolve: ignore, reject: ignore }
        // A copy that is rejected says nothing about the other.
        const applied = copies === 2 ? "maybe" : "no"
        time.at(arrival, undefined, () => this.#arrive(message, receiver, applied))
      }
    })
  }

  #delay(): number {
    return this.random.chance(this.weather.delay) ? this.random.integer(300, 3_000) : this.random.integer(0, 40)
  }

  #arrive(message: Message, { resolve, reject }: Receiver, applied: "no" | "maybe"): void {
    const { time } = this
    const { process, name, request, call } = message
    if (this.isDown) {
      this.#log(message, "finds the server down")
      const error = new StoreError("The server is down.", { code: "store-unavailable", applied })
      time.at(time.now + this.#delay(), process, () => reject(error))
      return
    }
    this.inFlight++
    const answer = (deliver: () => void) => {
      this.inFlight--
      if (!this.random.chance(this.weather.drop)) time.at(time.now + this.#delay(), process, deliver)
    }
    time.runOutside(() =>
      call(structuredClone(request)).then(
        (reply) => {
          const status = statusOf(reply)
          this.replies.add(`${name} ${status}`.trim())
          this.#log(message, status === "" ? "is answered" : status)
          this.journal.add(name, request, reply as { now: number })
          answer(() => resolve(structuredClone(reply)))
        },
        (error: unknown) => {
          this.#log(message, `rejects with ${String(error)}`)
          this.violations.push(`${name} rejects with ${String(error)}`)
          answer(() => reject(error))
        },
      ),
    )
  }

  #log({ process, name, request }: Message, what: string): void {
    const { key = "", outcome = "" } = (request ?? {}) as { key?: string; outcome?: string }
    this.trace.push([this.time.now, process.name, name, key, outcome, what].filter((part) => part !== "").join(" "))
  }
}

const ignore = () => {}

function statusOf(reply: unknown): string {
  const { status, replayed, late } = (reply ?? {}) as { status?: string; replayed?: boolean; late?: boolean }
  return [status, replayed === true && "replayed", late === true && "late"].filter(Boolean).join(" ")
}
