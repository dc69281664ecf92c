import type { AdjustReply, AdjustRequest, SettleReply, SettleRequest } from "../../../src/store/budget-store"
import type { ModelStore } from "../../../src/testing/model"
import type { ModelReservation, ModelShare } from "../../../src/testing/model-state"
import { type Change, LARGEST_INT32, meanwhile, plant } from "./plant"

type Resolved = Extract<SettleReply, { status: "settled" | "released" }>

/** Changes the replies of settles that were applied. */
function withReply(change: (reply: Resolved) => Resolved): Change<ModelStore> {
  return {
    async settle(base, request) {
      const reply = await base(request)
      return reply.status === "settled" || reply.status === "released" ? change(reply) : reply
    },
  }
}

const withoutThreshold = (reply: Resolved): Resolved => ({
  ...reply,
  counters: reply.counters.map((counter) => ({ ...counter, peakBefore: counter.peak })),
})

/** Changes a request that is about to be settled. */
function withRequest(change: (request: SettleRequest) => SettleRequest): Change<ModelStore> {
  return { settle: async (base, request) => base(change(request)) }
}

/** Resolves a key, whatever its state, when the test says so. */
function resolvesIf(test: (reservation: ModelReservation, request: SettleRequest) => boolean): Change<ModelStore> {
  return {
    settleExisting(base, partition, request, reservation, now) {
      if (!test(reservation, request)) return base(partition, request, reservation, now)
      return this.resolve(partition, request, reservation, now)
    },
  }
}

/** Charges a key in this state on top of what it was charged before. */
function chargesOnTopOf(state: ModelReservation["state"]): Change<ModelStore> {
  return {
    resolve(base, partition, request, reservation, now, how) {
      const free = reservation && {
        ...reservation,
        shares: reservation.shares.map((share) => ({ ...share, charge: 0 })),
      }
      return base(partition, request, reservation?.state === state ? free : reservation, now, how)
    },
  }
}

type Adjusted = Extract<AdjustReply, { status: "ok" }>

/** Changes the replies of adjustments that were applied. */
function withAdjusted(change: (reply: Adjusted, request: AdjustRequest) => Adjusted): Change<ModelStore> {
  return {
    async adjust(base, request) {
      const reply = await base(request)
      return reply.status === "ok" ? change(reply, request) : reply
    },
  }
}

/** What goes wrong in settle, release and adjust. */
export const settlePlants = [
  plant(
    "a settle in the counters that it names",
    ["a settle that names other counters", "after a retry across midnight"],
    { namesStoredCounters: () => true },
  ),
  plant("other-counters that frees the reservation", ["a settle that names other counters"], {
    async settle(base, request) {
      const reply = await base(request)
      const partition = this.partition(request.partition)
      const reservation = partition.reservations.get(request.key)
      if (reply.status === "other-counters" && reservation)
        for (const share of reservation.shares) this.change(partition, share, reply.now, { reserved: -share.amount })
      return reply
    },
  }),
  plant("other-counters before mismatch", ["a settle that names other counters"], {
    sameContent(base, reservation, request) {
      const { counters } = request as Partial<SettleRequest>
      const differ =
        counters !== undefined &&
        !this.namesStoredCounters(
          reservation,
          counters.map(({ name }) => name),
        )
      return differ || base(reservation, request)
    },
  }),
  plant("amounts by position", ["settle charges by the names"], {
    async settle(base, request) {
      const reservation = this.state.get(request.partition)?.reservations.get(request.key)
      const counters = request.counters.map((counter, index) => ({
        ...counter,
        name: reservation?.shares[index]?.name ?? counter.name,
      }))
      return base(reservation?.shares.length === counters.length ? { ...request, counters } : request)
    },
  }),
  plant(
    "a cost cut off at the reservation",
    ["a cost above the reservation"],
    withRequest((request) => ({
      ...request,
      counters: request.counters.map((counter) => ({ ...counter, amount: Math.min(counter.amount, counter.reserved) })),
    })),
  ),
  plant("a settle that frees everything", ["settle frees only its own"], {
    resolve(base, partition, request, reservation, now, how) {
      const reply = base(partition, request, reservation, now, how)
      for (const { name } of request.counters) partition.counters.get(name)!.reserved = 0
      return reply
    },
  }),
  plant(
    "a replay that charges",
    [
      "a settle sent again gets the same reply",
      "a key that is settled: settle of the same amounts",
      "the same settle sent five times",
    ],
    {
      replay(base, partition, request, now, status) {
        for (const counter of request.counters) this.change(partition, counter, now, { spent: counter.amount })
        return base(partition, request, now, status)
      },
    },
  ),
  plant(
    "a replay that crosses thresholds",
    ["a settle sent again gets the same reply"],
    withReply((reply) =>
      reply.replayed ? { ...reply, counters: reply.counters.map((counter) => ({ ...counter, peakBefore: 0 })) } : reply,
    ),
  ),
  plant("a late settle dropped", ["a key that is expired: settle of less", "a key that is expired: settle of more"], {
    settleExisting(base, partition, request, reservation, now) {
      if (reservation.state !== "expired") return base(partition, request, reservation, now)
      return { ...(this.replay(partition, request, now, request.outcome) as Resolved), replayed: false, late: true }
    },
  }),
  plant(
    "a late settle on top of the expiry's charge",
    ["a key that is expired: settle of less", "a late settle replaces the charge"],
    chargesOnTopOf("expired"),
  ),
  plant(
    "late not reported",
    ["a key that is expired: release"],
    withReply((reply) => ({ ...reply, late: false })),
  ),
  plant(
    "a release after the settle",
    ["a key that is settled: release", "a settle and a release of one key at once"],
    resolvesIf(({ state }, { outcome }) => state === "settled" && outcome === "released"),
  ),
  plant(
    "a settle after the release",
    ["a key that is released: settle"],
    resolvesIf(({ state }, { outcome }) => state === "released" && outcome === "settled"),
  ),
  plant(
    "a lower revision that replaces",
    ["a key that is settled: settle of a lower revision", "revisions replace upwards only"],
    resolvesIf(({ state, revision }, request) => state === "settled" && request.revision < revision),
  ),
  plant("a lower revision replied as a replay", ["a key that is settled: settle of a lower revision"], {
    settleExisting(base, partition, request, reservation, now) {
      if (reservation.state === "settled" && request.revision < reservation.revision && request.outcome === "settled")
        return this.replay(partition, request, now, "settled")
      return base(partition, request, reservation, now)
    },
  }),
  plant("a revision that adds", ["a key that is settled: settle of a higher revision"], chargesOnTopOf("settled")),
  plant(
    "a higher revision with the same amounts treated as a replay",
    ["a key that is settled: settle of a higher revision", "a replayed settle writes no second entry"],
    {
      settleExisting(base, partition, request, reservation, now) {
        const same = reservation.shares.every(({ name, charge }) => this.amountOf(request, name) === charge)
        if (
          reservation.state === "settled" &&
          request.outcome === "settled" &&
          request.revision > reservation.revision &&
          same
        )
          return this.replay(partition, request, now, "settled")
        return base(partition, request, reservation, now)
      },
    },
  ),
  plant(
    "a forgotten key charged again",
    ["a key that was resolved and forgotten long ago", "a settle that is a mismatch, forgotten"],
    {
      wasLost: () => true,
      stateByEntry: () => undefined,
    },
  ),
  plant(
    "a lost key dropped",
    [
      "a key that is unknown: settle of a key that was never reserved",
      "a key that is unknown: settle of a key that the store lost",
    ],
    { wasLost: () => false },
  ),
  plant("a lost key dropped when its window has closed", ["a lost key is charged in its window"], {
    wasLost(base, request, now) {
      return base(request, now) && request.counters.every((counter) => this.windowIsOpen(counter, now))
    },
  }),
  plant("a recovered settle that frees", ["a settle of an unknown key sent again"], {
    settleUnknown(base, partition, request, now) {
      const reply = base(partition, request, now)
      if (reply.status === "settled")
        for (const counter of request.counters) this.change(partition, counter, now, { reserved: -counter.reserved })
      return reply
    },
  }),
  plant(
    "recovered not reported",
    ["a key that is unknown: settle of a key that was never reserved"],
    withReply((reply) => ({ ...reply, recovered: false })),
  ),
  plant("a forgotten window counted anew", ["a settle does not count a forgotten window anew"], {
    counterIsForgotten: () => false,
  }),
  plant(
    "an unknown release that leaves nothing",
    ["a key that is unknown: release", "a release that overtakes its reserve"],
    {
      settleUnknown(base, partition, request, now) {
        if (request.outcome === "settled") return base(partition, request, now)
        return { ...(this.replay(partition, request, now, "released") as Resolved), replayed: false }
      },
    },
  ),
  plant("a settle that resolves what it read before", ["a settle that meets the expiry of its lease"], {
    async settle(base, request) {
      const partition = this.partition(request.partition)
      const before = structuredClone(partition.reservations.get(request.key))
      await meanwhile(8)
      const after = partition.reservations.get(request.key)
      if (before?.state === "held" && after?.state === "expired") partition.reservations.set(request.key, before)
      return base(request)
    },
  }),
  plant("charges of a key in single precision", ["large amounts keep every digit through expiry"], {
    resolve(base, partition, request, reservation, now, how) {
      const reply = base(partition, request, reservation, now, how)
      for (const share of partition.reservations.get(request.key)!.shares)
        if (share.charge > LARGEST_INT32) share.charge = Math.fround(share.charge)
      return reply
    },
  }),
  // ── Thresholds ──
  plant("a peak that falls", ["a correction downwards keeps the peak", "revisions replace upwards only"], {
    peakAfter: (_base, _peak, spent) => spent,
  }),
  plant(
    "a late settle that crosses no threshold",
    ["a key that is expired: settle of more"],
    withReply((reply) => (reply.late ? withoutThreshold(reply) : reply)),
  ),
  plant(
    "a recovered settle that crosses no threshold",
    ["a key that is unknown: settle of a key that was never reserved"],
    withReply((reply) => (reply.recovered ? withoutThreshold(reply) : reply)),
  ),
  plant("a peak computed after the settle", ["the peaks of many settles at once"], {
    async settle(base, request) {
      const before = this.partition(request.partition).counters.get(request.counters[0]?.name ?? "")?.peak ?? 0
      await meanwhile(4)
      const reply = await base(request)
      if (reply.status !== "settled") return reply
      return { ...reply, counters: reply.counters.map((counter) => ({ ...counter, peakBefore: before })) }
    },
  }),
  // ── Adjustments ──
  ...(["reserved", "granted"] as const).map((field) =>
    plant(`a reset that clears what is ${field}`, ["a reset makes spent and peak zero"], {
      applyAdjustment(base, partition, request, now) {
        const before = this.stateOf(partition, request.counter.name, now)[field]
        if (request.kind === "reset") this.change(partition, request.counter, now, { [field]: -before })
        return base(partition, request, now)
      },
    }),
  ),
  plant(
    "a reset that forgets the peak before it",
    ["a reset makes spent and peak zero"],
    withAdjusted((reply, { kind }) => ({
      ...reply,
      counter: { ...reply.counter, ...(kind === "reset" && { peakBefore: 0 }) },
    })),
  ),
  plant(
    "a correction that crosses no threshold",
    ["a correction moves spent up and down"],
    withAdjusted((reply, { kind }) => {
      const { counter } = reply
      return kind === "spent" ? { ...reply, counter: { ...counter, peakBefore: counter.peak } } : reply
    }),
  ),
  plant("grants without a sign", ["grants below zero"], {
    applyAdjustment(base, partition, request, now) {
      const { granted } = this.stateOf(partition, request.counter.name, now)
      const delta = request.kind === "granted" ? Math.max(-granted, request.delta) : request.delta
      return base(partition, { ...request, delta }, now)
    },
  }),
  plant(
    "`applied` as requested, not as done",
    ["`applied` is what changed"],
    withAdjusted((reply, { kind, delta }) => (kind === "reset" ? reply : { ...reply, applied: delta })),
  ),
  plant(
    "`applied` of a replay in single precision",
    ["`applied` is what changed"],
    withAdjusted((reply) => (reply.replayed ? { ...reply, applied: Math.fround(reply.applied) } : reply)),
  ),
  plant("a grant on every retry", ["an adjustment sent again applies once"], {
    async adjust(base, request) {
      const reply = await base(request)
      if (request.kind === "granted" && reply.status === "ok" && reply.replayed)
        this.change(this.partition(request.partition), request.counter, reply.now, { granted: request.delta })
      return reply
    },
  }),
  plant("a reset on every retry", ["a reset sent again does not reset"], {
    async adjust(base, request) {
      if (request.kind === "reset") this.partition(request.partition).adjustments.delete(request.key)
      return base(request)
    },
  }),
  plant("adjustments distinguished by amount alone", ["an adjustment's key with other content"], {
    async adjust(base, request) {
      const reply = await base(request)
      const adjustment = this.partition(request.partition).adjustments.get(request.key)
      if (reply.status !== "mismatch" || !adjustment?.content.endsWith(`,${request.delta}]`)) return reply
      const counter = this.unchanged(this.partition(request.partition), request.counter.name, reply.now)
      return { now: reply.now, status: "ok", counter, replayed: true, applied: adjustment.applied }
    },
  }),
  plant(
    "an adjustment whose window is checked before its key",
    ["an adjustment sent again after its window has closed"],
    {
      async adjust(base, request) {
        const reply = await base(request)
        return this.windowIsOpen(request.counter, reply.now) ? reply : { now: reply.now, status: "stale-window" }
      },
    },
  ),
  plant("adjustments forgotten after the retention", ["the key of an adjustment without a window"], {
    adjustmentForgetAt(_base, endsAt, now) {
      return (endsAt ?? now) + this.capabilities.retentionMs
    },
  }),
  plant("one table of keys for reservations and adjustments", ["adjustments and reservations have separate keys"], {
    async adjust(base, request) {
      const partition = this.partition(request.partition)
      if (!partition.reservations.has(request.key)) return base(request)
      const now = this.now(request.partition)
      const counter = this.unchanged(partition, request.counter.name, now)
      return { now, status: "ok", counter, replayed: true, applied: 0 }
    },
  }),
  plant(
    "one table of adjustments for every partition",
    ["partitions do not see each other", "leases end in their own partition"],
    {
      adjustmentAt(base, _partition, key, now) {
        const adjustments = [...this.state.values()].map((partition) => base(partition, key, now))
        return adjustments.find((adjustment) => adjustment !== undefined)
      },
    },
  ),
  plant("an adjustment that writes back what was reserved", ["corrections, grants and resets among"], {
    async adjust(base, request) {
      const counters = this.partition(request.partition).counters
      const { reserved } = counters.get(request.counter.name) ?? { reserved: 0 }
      await meanwhile(8)
      const reply = await base(request)
      if (reply.status === "ok" && !reply.replayed) counters.get(request.counter.name)!.reserved = reserved
      return reply
    },
  }),
  // ── Damage ──
  plant("a settle of a damaged key that frees nothing", ["a key whose record is damaged"], {
    settleDamaged(base, partition, request, now) {
      const counters = request.counters.map((counter) => ({ ...counter, reserved: 0 }))
      return base(partition, { ...request, counters }, now)
    },
  }),
  plant("a settled key that stays in the list of the damaged", ["a lease that is set aside keeps its money"], {
    resolve(base, partition, request, reservation, now, how) {
      const wasDamaged = partition.damaged.has(request.key)
      const reply = base(partition, request, reservation, now, how)
      if (wasDamaged) partition.damaged.add(request.key)
      return reply
    },
  }),
  plant("shares of a damaged key charged twice", ["a key whose record is damaged"], {
    settleDamaged(base, partition, request, now) {
      const reply = base(partition, request, now)
      const shares = partition.reservations.get(request.key)!.shares as ModelShare[]
      for (const share of shares) this.change(partition, share, now, { spent: share.charge })
      return reply
    },
  }),
]
