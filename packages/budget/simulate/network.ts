import type { BudgetStore } from "../src/store/budget-store"
import { StoreError } from "../src/store/store-error"
import { LEDGER_MEMBERS, STORE_MEMBERS } from "../src/testing/check-suite"
import type { Random } from "../src/testing/random"
import type { Journal } from "./journal"
import type { SimulatedProcess, VirtualTime } from "./virtual-time"

/** Probabilities per message. */
export interface NetworkFaults {
  drop: number
  duplicate: number
  delay: number
}

/** The timeout of the store that processes call. */
export const TIMEOUT_MS = 500

/** One call of the store that travels through the network. */
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
  faults: NetworkFaults
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
    faults: NetworkFaults,
  ) {
    this.faults = faults
  }

  /** The store as a process calls it through the network. */
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
      ...remote(this.server, "", STORE_MEMBERS),
      ledger: ledger === undefined ? undefined : remote(ledger, "ledger.", LEDGER_MEMBERS),
    } as unknown as BudgetStore
  }

  /** A message that is lost, or whose reply is lost, gets no reply: the budget rejects the call after the store's timeout. */
  #send(given: Message): Promise<unknown> {
    const { random, time } = this
    const message = { ...given, request: structuredClone(given.request) }
    return new Promise((resolve, reject) => {
      const copies = random.chance(this.faults.duplicate) ? 2 : 1
      const arrivals = Array.from({ length: copies }, () => time.now + this.#delay())
      const last = Math.max(...arrivals)
      this.#log(message, `is sent${copies === 2 ? " twice" : ""}`)
      for (const arrival of arrivals) {
        if (random.chance(this.faults.drop)) continue
        // A connection repeats a message only after giving up on it, so the later of two copies gets the reply.
        const receiver = arrival === last ? { resolve, reject } : { resolve: ignore, reject: ignore }
        // The rejection of one copy does not show whether the other one was applied.
        const applied = copies === 2 ? "maybe" : "no"
        time.at(arrival, undefined, () => this.#arrive(message, receiver, applied))
      }
    })
  }

  #delay(): number {
    return this.random.chance(this.faults.delay) ? this.random.integer(300, 3_000) : this.random.integer(0, 40)
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
    const deliverLater = (deliver: () => void) => {
      this.inFlight--
      if (!this.random.chance(this.faults.drop)) time.at(time.now + this.#delay(), process, deliver)
    }
    time.runOutside(() =>
      call(structuredClone(request)).then(
        (reply) => {
          const status = statusOf(reply)
          this.replies.add(`${name} ${status}`.trim())
          this.#log(message, status === "" ? "gets a reply" : status)
          this.journal.add(name, request, reply as { now: number })
          deliverLater(() => resolve(structuredClone(reply)))
        },
        (error: unknown) => {
          this.#log(message, `rejects with ${String(error)}`)
          this.violations.push(`${name} rejects with ${String(error)}`)
          deliverLater(() => reject(error))
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
