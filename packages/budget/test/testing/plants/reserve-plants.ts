import type { ReserveCounter, ReserveReply, ReserveRequest } from "../../../src/store/budget-store"
import { StoreError } from "../../../src/store/store-error"
import { type Decision, ModelStore } from "../../../src/testing/model"
import type { ModelPartition, ModelReservation } from "../../../src/testing/model-state"
import { meanwhile, plant } from "./plant"

const whichOf = (counters: readonly ReserveCounter[], test: (counter: ReserveCounter) => boolean) =>
  counters.flatMap((counter, index) => (test(counter) ? [index] : []))

/** What goes wrong in reserve, read and the listing of counters. */
export const reservePlants = [
  plant(
    "get then set",
    ["a thousand reservations of $0.10", "the same reservation sent up to five times"],
    class extends ModelStore {
      override async reserve(request: ReserveRequest): Promise<ReserveReply> {
        const decision = this.decide(this.partition(request.partition), request, this.now(request.partition))
        // The answer of the get travels back before the set is sent.
        await meanwhile()
        if (decision.status !== "admit") return super.reserve(request)
        this.partition(request.partition).reservations.delete(request.key)
        return super.reserve({ ...request, counters: request.counters.map((counter) => ({ ...counter, limit: null })) })
      }
    },
  ),
  plant(
    "a lock on the first counter alone",
    ["the tightest of three scopes decides"],
    class extends ModelStore {
      readonly #last = new Map<string, Promise<unknown>>()

      override async reserve(request: ReserveRequest): Promise<ReserveReply> {
        const lock = `${request.partition} ${request.counters[0]?.name}`
        const run = async () => {
          const counters = this.state.get(request.partition)?.counters
          const read = request.counters.slice(1).map(({ name }) => counters?.get(name)?.reserved ?? 0)
          await meanwhile()
          const reply = await super.reserve(request)
          if (reply.status === "ok" && !reply.replayed) {
            for (const [index, { name, amount }] of request.counters.slice(1).entries())
              this.state.get(request.partition)!.counters.get(name)!.reserved = read[index]! + amount
          }
          return reply
        }
        const next = (this.#last.get(lock) ?? Promise.resolve()).then(run)
        this.#last.set(lock, next)
        return next
      }
    },
  ),
  plant(
    "locks in the order of the request",
    ["counters in opposite orders", "reserves and settles of the same counters in opposite orders"],
    class extends ModelStore {
      readonly #locked = new Set<string>()

      override async reserve(request: ReserveRequest): Promise<ReserveReply> {
        const taken: string[] = []
        try {
          for (const { name } of request.counters) {
            for (let round = 0; this.#locked.has(name); round++) {
              if (round === 500) throw new StoreError("Deadlock.", { code: "store-unavailable", applied: "no" })
              await meanwhile()
            }
            this.#locked.add(name)
            taken.push(name)
            await meanwhile()
          }
          return await super.reserve(request)
        } finally {
          for (const name of taken) this.#locked.delete(name)
        }
      }
    },
  ),
  plant(
    "one scope at a time",
    ["a denial stores nothing in any counter", "one call reserves in maxCounters counters"],
    class extends ModelStore {
      protected override decide(partition: ModelPartition, request: ReserveRequest, now: number): Decision {
        const decision = super.decide(partition, request, now)
        if (decision.status !== "exceeded") return decision
        for (const counter of request.counters.slice(0, decision.which[0]))
          this.change(partition, counter, now, { reserved: counter.amount })
        return decision
      }
    },
  ),
  plant(
    "a denial that charges",
    ["a denial stores nothing in any counter"],
    class extends ModelStore {
      protected override decide(partition: ModelPartition, request: ReserveRequest, now: number): Decision {
        const decision = super.decide(partition, request, now)
        if (decision.status === "exceeded")
          for (const counter of request.counters) this.change(partition, counter, now, { spent: counter.amount })
        return decision
      }
    },
  ),
  plant(
    "a denial that stores its key",
    ["a denied key is unknown afterwards", "a denied reserve sent again is decided anew"],
    class extends ModelStore {
      protected override decide(partition: ModelPartition, request: ReserveRequest, now: number): Decision {
        const decision = super.decide(partition, request, now)
        if (decision.status === "exceeded") this.hold(partition, { ...request, counters: [] }, now)
        return decision
      }
    },
  ),
  plant(
    "a denial that names one counter",
    ["a denial names every counter that denies"],
    class extends ModelStore {
      protected override decide(partition: ModelPartition, request: ReserveRequest, now: number): Decision {
        const decision = super.decide(partition, request, now)
        return "which" in decision ? { ...decision, which: decision.which.slice(0, 1) } : decision
      }
    },
  ),
  plant(
    "money in fractions of a dollar",
    ["large amounts keep every digit", "sums of small charges are exact"],
    class extends ModelStore {
      protected override sum(a: number, b: number): number {
        return (a / 1e9 + b / 1e9) * 1e9
      }
    },
  ),
  plant(
    "fourteen digits",
    ["large amounts keep every digit", "amounts near 2^53"],
    class extends ModelStore {
      protected override sum(a: number, b: number): number {
        return Number((a + b).toPrecision(14))
      }
    },
  ),
  plant(
    "sums beyond the largest number",
    ["spent stops at 2^53 − 1"],
    class extends ModelStore {
      protected override sum(a: number, b: number): number {
        return a + b
      }
    },
  ),
  plant(
    "a limit beyond the largest number",
    ["a grant on top of the largest limit"],
    class extends ModelStore {
      protected override fits(partition: ModelPartition, counter: ReserveCounter, now: number): boolean {
        const { spent, reserved, granted } = this.stateOf(partition, counter.name, now)
        return counter.limit === null || spent + reserved + counter.amount <= counter.limit + granted
      }
    },
  ),
  plant(
    "no limit means no end",
    ["amounts near 2^53"],
    class extends ModelStore {
      protected override fits(partition: ModelPartition, counter: ReserveCounter, now: number): boolean {
        return counter.limit === null || super.fits(partition, counter, now)
      }
    },
  ),
  plant(
    "grants ignored",
    ["a grant adds to the limit"],
    class extends ModelStore {
      protected override fits(partition: ModelPartition, counter: ReserveCounter, now: number): boolean {
        const { granted } = this.stateOf(partition, counter.name, now)
        return super.fits(
          partition,
          { ...counter, limit: counter.limit === null ? null : counter.limit - granted },
          now,
        )
      }
    },
  ),
  plant(
    "reservations ignored",
    ["spent and reserved add up to the limit"],
    class extends ModelStore {
      protected override fits(partition: ModelPartition, counter: ReserveCounter, now: number): boolean {
        const { reserved } = this.stateOf(partition, counter.name, now)
        return super.fits(
          partition,
          { ...counter, limit: counter.limit === null ? null : counter.limit + reserved },
          now,
        )
      }
    },
  ),
  plant(
    "zero denied in a full counter",
    ["an amount of zero is never denied"],
    class extends ModelStore {
      protected override fits(partition: ModelPartition, counter: ReserveCounter, now: number): boolean {
        const { spent } = this.stateOf(partition, counter.name, now)
        return super.fits(partition, counter, now) && (!counter.limit || spent <= counter.limit)
      }
    },
  ),
  plant(
    "zero taken for no limit",
    ["a limit of zero admits zero"],
    class extends ModelStore {
      protected override fits(partition: ModelPartition, counter: ReserveCounter, now: number): boolean {
        return super.fits(partition, { ...counter, limit: counter.limit || null }, now)
      }
    },
  ),
  plant(
    "the first limit kept",
    ["each call states its own limit"],
    class extends ModelStore {
      readonly #limits = new Map<string, number | null>()

      protected override fits(partition: ModelPartition, counter: ReserveCounter, now: number): boolean {
        const limit = this.#limits.has(counter.name) ? this.#limits.get(counter.name)! : counter.limit
        this.#limits.set(counter.name, limit)
        return super.fits(partition, { ...counter, limit }, now)
      }
    },
  ),
  plant(
    "a reservation that needs a counter",
    ["a reservation without counters has a key", "a reservation without counters expires"],
    class extends ModelStore {
      override async reserve(request: ReserveRequest): Promise<ReserveReply> {
        if (request.counters.length > 0) return super.reserve(request)
        throw new StoreError("Syntax error at ().", { code: "store-unavailable", applied: "no" })
      }
    },
  ),
  // ── Names ──
  plant(
    "counters without case",
    ["names that look alike are different counters"],
    class extends ModelStore {
      protected override counterName(name: string): string {
        return name.toLowerCase()
      }
    },
  ),
  plant(
    "separators merged",
    ["names that look alike are different counters", "random names never share a counter"],
    class extends ModelStore {
      protected override counterName(name: string): string {
        return name.replaceAll(/[:|]+/g, ":")
      }
    },
  ),
  plant(
    "counters named like numbers are numbers",
    ["names that look alike are different counters"],
    class extends ModelStore {
      protected override counterName(name: string): string {
        return Number.isNaN(Number(name)) ? name : String(Number(name))
      }
    },
  ),
  plant(
    "counters named like properties are lost",
    ["names that look alike are different counters"],
    class extends ModelStore {
      protected override counterName(name: string): string {
        return name === "__proto__" ? "constructor" : name
      }
    },
  ),
  plant(
    "counters cut at 63 characters",
    ["names of 64 characters"],
    class extends ModelStore {
      protected override counterName(name: string): string {
        return name.slice(0, 63)
      }
    },
  ),
  plant(
    "partitions cut at 63 characters",
    ["names of 64 characters"],
    class extends ModelStore {
      protected override partition(name: string): ModelPartition {
        return super.partition(name.slice(0, 63))
      }
    },
  ),
  plant(
    "partitions without case",
    ["names that look alike are different keys"],
    class extends ModelStore {
      protected override partition(name: string): ModelPartition {
        return super.partition(name.toLowerCase())
      }
    },
  ),
  plant(
    "one partition for all",
    ["partitions do not see each other", "many partitions at once"],
    class extends ModelStore {
      protected override partition(): ModelPartition {
        return super.partition("all")
      }

      override async read(request: Parameters<ModelStore["read"]>[0]) {
        return super.read({ ...request, partition: "all" })
      }
    },
  ),
  plant(
    "keys without case",
    ["names that look alike are different keys"],
    class extends ModelStore {
      override async reserve(request: ReserveRequest): Promise<ReserveReply> {
        return super.reserve({ ...request, key: request.key.toLowerCase() })
      }
    },
  ),
  plant(
    "keys cut at 63 characters",
    ["names of 64 characters"],
    class extends ModelStore {
      override async reserve(request: ReserveRequest): Promise<ReserveReply> {
        return super.reserve({ ...request, key: request.key.slice(0, 63) })
      }
    },
  ),
  // ── The same call again ──
  plant(
    "keys used again",
    ["a key with other content is a mismatch", "a key that is held: another fingerprint"],
    class extends ModelStore {
      protected override sameContent(): boolean {
        return true
      }
    },
  ),
  plant(
    "fingerprints without case",
    ["fingerprints that differ in case"],
    class extends ModelStore {
      protected override sameContent(known: ModelReservation, { fingerprint }: { fingerprint: string }): boolean {
        return known.fingerprint.toLowerCase() === fingerprint.toLowerCase()
      }
    },
  ),
  plant(
    "fingerprints cut at 63 characters",
    ["fingerprints that differ in case"],
    class extends ModelStore {
      protected override sameContent(known: ModelReservation, { fingerprint }: { fingerprint: string }): boolean {
        return known.fingerprint.slice(0, 63) === fingerprint.slice(0, 63)
      }
    },
  ),
  plant(
    "fingerprints compared as numbers",
    ["fingerprints that differ in case"],
    class extends ModelStore {
      protected override sameContent(known: ModelReservation, { fingerprint }: { fingerprint: string }): boolean {
        return known.fingerprint === fingerprint || Number(known.fingerprint) === Number(fingerprint)
      }
    },
  ),
  plant(
    "a replay with another end",
    ["a reserve sent again gets the same decision"],
    class extends ModelStore {
      protected override decideKnown(known: ModelReservation, request: ReserveRequest): Decision {
        const decision = super.decideKnown(known, request)
        return decision.status === "ok" ? { ...decision, expiresAt: decision.expiresAt + 1_000 } : decision
      }
    },
  ),
  plant(
    "a replay that is decided anew",
    ["a reserve sent again gets the same decision", "a reserve sent again is the same one"],
    class extends ModelStore {
      protected override decide(partition: ModelPartition, request: ReserveRequest, now: number): Decision {
        const which = whichOf(request.counters, (counter) => !this.fits(partition, counter, now))
        return which.length > 0 ? { status: "exceeded", which } : super.decide(partition, request, now)
      }
    },
  ),
  plant(
    "a lease that has ended answered as held",
    ["a key that is held, lease ended: reserve"],
    class extends ModelStore {
      protected override decideKnown(known: ModelReservation, request: ReserveRequest): Decision {
        const decision = super.decideKnown(known, request)
        return decision.status === "lease-ended"
          ? { status: "ok", replayed: true, expiresAt: known.leaseEnd }
          : decision
      }
    },
  ),
  // ── Read and lists ──
  plant(
    "read in the order of names",
    ["read replies in the order of the request"],
    class extends ModelStore {
      override async read(request: Parameters<ModelStore["read"]>[0]) {
        return super.read({ ...request, counters: [...request.counters].sort() })
      }
    },
  ),
  plant(
    "read that makes counters",
    ["read writes nothing"],
    class extends ModelStore {
      override async read(request: Parameters<ModelStore["read"]>[0]) {
        const endless = { startsAt: null, endsAt: null, keepMs: null }
        for (const name of request.counters)
          this.change(this.partition(request.partition), { name, ...endless }, this.now(request.partition), {})
        return super.read(request)
      }
    },
  ),
  plant(
    "listCounters that drops the last page",
    ["listCounters lists every counter"],
    class extends ModelStore {
      override async listCounters(request: Parameters<ModelStore["listCounters"]>[0]) {
        const page = await super.listCounters(request)
        return page.cursor === null && request.cursor !== null ? { ...page, counters: [] } : page
      }
    },
  ),
  plant(
    "listCounters of every partition",
    ["listCounters lists every counter"],
    class extends ModelStore {
      override async listCounters(request: Parameters<ModelStore["listCounters"]>[0]) {
        const pages = await Promise.all(
          [...this.state.keys()].map((partition) => super.listCounters({ ...request, partition })),
        )
        const own = await super.listCounters(request)
        return { ...own, counters: pages.flatMap(({ counters }) => counters) }
      }
    },
  ),
  plant(
    "extend without the counters",
    ["extend of a held key names"],
    class extends ModelStore {
      override async extend(request: Parameters<ModelStore["extend"]>[0]) {
        const reply = await super.extend(request)
        return reply.status === "held" ? { ...reply, counters: [] } : reply
      }
    },
  ),
]
