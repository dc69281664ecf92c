import type { ReserveCounter } from "../../../src/store/budget-store"
import { StoreError } from "../../../src/store/store-error"
import { meanwhile, plant } from "./plant"

const whichOf = (counters: readonly ReserveCounter[], test: (counter: ReserveCounter) => boolean) =>
  counters.flatMap((counter, index) => (test(counter) ? [index] : []))

/** What goes wrong in reserve, read and the listing of counters. */
export const reservePlants = [
  plant("get then set", ["a thousand reservations of $0.10", "the same reservation sent up to five times"], {
    async reserve(base, request) {
      const decision = this.decide(this.partition(request.partition), request, this.now(request.partition))
      // The reply of the get arrives before the set is sent.
      await meanwhile()
      if (decision.status !== "admit") return base(request)
      this.partition(request.partition).reservations.delete(request.key)
      return base({ ...request, counters: request.counters.map((counter) => ({ ...counter, limit: null })) })
    },
  }),
  plant("a lock on the first counter alone", ["the tightest of three scopes decides"], () => {
    const last = new Map<string, Promise<unknown>>()
    return {
      async reserve(base, request) {
        const lock = `${request.partition} ${request.counters[0]?.name}`
        const run = async () => {
          const counters = this.state.get(request.partition)?.counters
          const read = request.counters.slice(1).map(({ name }) => counters?.get(name)?.reserved ?? 0)
          await meanwhile()
          const reply = await base(request)
          if (reply.status === "ok" && !reply.replayed) {
            for (const [index, { name, amount }] of request.counters.slice(1).entries())
              this.state.get(request.partition)!.counters.get(name)!.reserved = read[index]! + amount
          }
          return reply
        }
        const next = (last.get(lock) ?? Promise.resolve()).then(run)
        last.set(lock, next)
        return next
      },
    }
  }),
  plant(
    "locks in the order of the request",
    ["counters in opposite orders", "reserves and settles of the same counters in opposite orders"],
    () => {
      const locked = new Set<string>()
      return {
        async reserve(base, request) {
          const taken: string[] = []
          try {
            for (const { name } of request.counters) {
              for (let round = 0; locked.has(name); round++) {
                if (round === 500) throw new StoreError("Deadlock.", { code: "store-unavailable", applied: "no" })
                await meanwhile()
              }
              locked.add(name)
              taken.push(name)
              await meanwhile()
            }
            return await base(request)
          } finally {
            for (const name of taken) locked.delete(name)
          }
        },
      }
    },
  ),
  plant(
    "one scope at a time",
    ["a denial stores nothing in any counter", "one call reserves in maxCounters counters"],
    {
      decide(base, partition, request, now) {
        const decision = base(partition, request, now)
        if (decision.status !== "exceeded") return decision
        for (const counter of request.counters.slice(0, decision.which[0]))
          this.change(partition, counter, now, { reserved: counter.amount })
        return decision
      },
    },
  ),
  plant("a denial that charges", ["a denial stores nothing in any counter"], {
    decide(base, partition, request, now) {
      const decision = base(partition, request, now)
      if (decision.status === "exceeded")
        for (const counter of request.counters) this.change(partition, counter, now, { spent: counter.amount })
      return decision
    },
  }),
  plant(
    "a denial that stores its key",
    ["a denied key is unknown afterwards", "a denied reserve sent again is decided anew"],
    {
      decide(base, partition, request, now) {
        const decision = base(partition, request, now)
        if (decision.status === "exceeded") this.hold(partition, { ...request, counters: [] }, now)
        return decision
      },
    },
  ),
  plant("a denial that names one counter", ["a denial names every counter that denies"], {
    decide(base, partition, request, now) {
      const decision = base(partition, request, now)
      return "which" in decision ? { ...decision, which: decision.which.slice(0, 1) } : decision
    },
  }),
  plant("money in fractions of a dollar", ["large amounts keep every digit", "sums of small charges are exact"], {
    sum: (_base, a, b) => (a / 1e9 + b / 1e9) * 1e9,
  }),
  plant("fourteen digits", ["large amounts keep every digit", "amounts near 2^53"], {
    sum: (_base, a, b) => Number((a + b).toPrecision(14)),
  }),
  plant("sums beyond the largest number", ["spent saturates at 2^53 − 1"], { sum: (_base, a, b) => a + b }),
  plant("a limit beyond the largest number", ["a grant on top of the largest limit"], {
    fits(_base, partition, counter, now) {
      const { spent, reserved, granted } = this.stateOf(partition, counter.name, now)
      return counter.limit === null || spent + reserved + counter.amount <= counter.limit + granted
    },
  }),
  plant("no limit means no end", ["amounts near 2^53"], {
    fits: (base, partition, counter, now) => counter.limit === null || base(partition, counter, now),
  }),
  plant("grants ignored", ["a grant adds to the limit"], {
    fits(base, partition, counter, now) {
      const { granted } = this.stateOf(partition, counter.name, now)
      return base(partition, { ...counter, limit: counter.limit === null ? null : counter.limit - granted }, now)
    },
  }),
  plant("reservations ignored", ["spent and reserved add up to the limit"], {
    fits(base, partition, counter, now) {
      const { reserved } = this.stateOf(partition, counter.name, now)
      return base(partition, { ...counter, limit: counter.limit === null ? null : counter.limit + reserved }, now)
    },
  }),
  plant("zero denied in a full counter", ["an amount of zero is never denied"], {
    fits(base, partition, counter, now) {
      const { spent } = this.stateOf(partition, counter.name, now)
      return base(partition, counter, now) && (!counter.limit || spent <= counter.limit)
    },
  }),
  plant("zero treated as no limit", ["a limit of zero admits zero"], {
    fits: (base, partition, counter, now) => base(partition, { ...counter, limit: counter.limit || null }, now),
  }),
  plant("the first limit kept", ["each call states its own limit"], () => {
    const limits = new Map<string, number | null>()
    return {
      fits(base, partition, counter, now) {
        const limit = limits.has(counter.name) ? limits.get(counter.name)! : counter.limit
        limits.set(counter.name, limit)
        return base(partition, { ...counter, limit }, now)
      },
    }
  }),
  plant(
    "a reservation that needs a counter",
    ["a reservation without counters has a key", "a reservation without counters expires"],
    {
      async reserve(base, request) {
        if (request.counters.length > 0) return base(request)
        throw new StoreError("Syntax error at ().", { code: "store-unavailable", applied: "no" })
      },
    },
  ),
  // ── Names ──
  plant("counters without case", ["names that look alike are different counters"], {
    counterName: (_base, name) => name.toLowerCase(),
  }),
  plant("separators merged", ["names that look alike are different counters", "random names never share a counter"], {
    counterName: (_base, name) => name.replaceAll(/[:|]+/g, ":"),
  }),
  plant("counters named like numbers are numbers", ["names that look alike are different counters"], {
    counterName: (_base, name) => (Number.isNaN(Number(name)) ? name : String(Number(name))),
  }),
  plant("counters named like properties are lost", ["names that look alike are different counters"], {
    counterName: (_base, name) => (name === "__proto__" ? "constructor" : name),
  }),
  plant("counters cut at 63 characters", ["names of 64 characters"], {
    counterName: (_base, name) => name.slice(0, 63),
  }),
  plant("partitions cut at 63 characters", ["names of 64 characters"], {
    partition: (base, name) => base(name.slice(0, 63)),
  }),
  plant("partitions without case", ["names that look alike are different keys"], {
    partition: (base, name) => base(name.toLowerCase()),
  }),
  plant("one partition for all", ["partitions do not see each other", "concurrent calls to many partitions"], {
    partition: (base) => base("all"),
    read: async (base, request) => base({ ...request, partition: "all" }),
  }),
  plant("keys without case", ["names that look alike are different keys"], {
    reserve: async (base, request) => base({ ...request, key: request.key.toLowerCase() }),
  }),
  plant("keys cut at 63 characters", ["names of 64 characters"], {
    reserve: async (base, request) => base({ ...request, key: request.key.slice(0, 63) }),
  }),
  // ── The same call again ──
  plant("keys used again", ["a key with other content is a mismatch", "a key that is held: another fingerprint"], {
    sameContent: () => true,
  }),
  plant("fingerprints without case", ["fingerprints that differ in case"], {
    sameContent: (_base, reservation, { fingerprint }) =>
      reservation.fingerprint.toLowerCase() === fingerprint.toLowerCase(),
  }),
  plant("fingerprints cut at 63 characters", ["fingerprints that differ in case"], {
    sameContent: (_base, reservation, { fingerprint }) =>
      reservation.fingerprint.slice(0, 63) === fingerprint.slice(0, 63),
  }),
  plant("fingerprints compared as numbers", ["fingerprints that differ in case"], {
    sameContent: (_base, reservation, { fingerprint }) =>
      reservation.fingerprint === fingerprint || Number(reservation.fingerprint) === Number(fingerprint),
  }),
  plant("a replay with another end", ["a reserve sent again gets the same decision"], {
    decideExisting(base, reservation, request) {
      const decision = base(reservation, request)
      return decision.status === "ok" ? { ...decision, expiresAt: decision.expiresAt + 1_000 } : decision
    },
  }),
  plant(
    "a replay that is decided anew",
    ["a reserve sent again gets the same decision", "a reserve sent again is the same one"],
    {
      decide(base, partition, request, now) {
        const which = whichOf(request.counters, (counter) => !this.fits(partition, counter, now))
        return which.length > 0 ? { status: "exceeded", which } : base(partition, request, now)
      },
    },
  ),
  plant("a lease that has ended replied as held", ["a key that is held, lease ended: reserve"], {
    decideExisting(base, reservation, request) {
      const decision = base(reservation, request)
      return decision.status === "lease-ended"
        ? { status: "ok", replayed: true, expiresAt: reservation.leaseEnd }
        : decision
    },
  }),
  // ── Read and lists ──
  plant("read in the order of names", ["read replies in the order of the request"], {
    read: async (base, request) => base({ ...request, counters: [...request.counters].sort() }),
  }),
  plant("read that makes counters", ["read writes nothing"], {
    async read(base, request) {
      const endless = { startsAt: null, endsAt: null, keepMs: null }
      for (const name of request.counters)
        this.change(this.partition(request.partition), { name, ...endless }, this.now(request.partition), {})
      return base(request)
    },
  }),
  plant("listCounters that drops the last page", ["listCounters lists every counter"], {
    async listCounters(base, request) {
      const page = await base(request)
      return page.cursor === null && request.cursor !== null ? { ...page, counters: [] } : page
    },
  }),
  plant("listCounters of every partition", ["listCounters lists every counter"], {
    async listCounters(base, request) {
      const pages = await Promise.all([...this.state.keys()].map((partition) => base({ ...request, partition })))
      const own = await base(request)
      return { ...own, counters: pages.flatMap(({ counters }) => counters) }
    },
  }),
  plant("extend without the counters", ["extend of a held key names"], {
    async extend(base, request) {
      const reply = await base(request)
      return reply.status === "held" ? { ...reply, counters: [] } : reply
    },
  }),
]
