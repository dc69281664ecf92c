import type { AdjustReply, AdjustRequest, SettleReply, SettleRequest } from "../../../src/store/budget-store"
import { ModelStore } from "../../../src/testing/model"
import type { ModelPartition, ModelReservation, ModelShare } from "../../../src/testing/model-state"
import { LARGEST_INT32, meanwhile, plant } from "./plant"

type Resolve = Parameters<ModelStore["resolve"]>
type Resolved = Extract<SettleReply, { status: "settled" | "released" }>

/** Changes the replies of settles that were applied. */
function withReply(change: (reply: Resolved) => Resolved) {
  return class extends ModelStore {
    override async settle(request: SettleRequest): Promise<SettleReply> {
      const reply = await super.settle(request)
      return reply.status === "settled" || reply.status === "released" ? change(reply) : reply
    }
  }
}

const withoutThreshold = (reply: Resolved): Resolved => ({
  ...reply,
  counters: reply.counters.map((counter) => ({ ...counter, peakBefore: counter.peak })),
})

/** Changes a request that is about to be settled. */
function withRequest(change: (request: SettleRequest) => SettleRequest) {
  return class extends ModelStore {
    override async settle(request: SettleRequest): Promise<SettleReply> {
      return super.settle(change(request))
    }
  }
}

/** What goes wrong in settle, release and adjust. */
export const settlePlants = [
  plant(
    "a settle in the counters that it names",
    ["a settle that names other counters", "after a retry across midnight"],
    class extends ModelStore {
      protected override namesStoredCounters(): boolean {
        return true
      }
    },
  ),
  plant(
    "other-counters that frees the reservation",
    ["a settle that names other counters"],
    class extends ModelStore {
      override async settle(request: SettleRequest): Promise<SettleReply> {
        const reply = await super.settle(request)
        const partition = this.partition(request.partition)
        const known = partition.reservations.get(request.key)
        if (reply.status === "other-counters" && known)
          for (const share of known.shares) this.change(partition, share, reply.now, { reserved: -share.amount })
        return reply
      }
    },
  ),
  plant(
    "other-counters before mismatch",
    ["a settle that names other counters"],
    class extends ModelStore {
      protected override sameContent(known: ModelReservation, request: { fingerprint: string }): boolean {
        const { counters } = request as Partial<SettleRequest>
        const differ =
          counters !== undefined &&
          !this.namesStoredCounters(
            known,
            counters.map(({ name }) => name),
          )
        return differ || super.sameContent(known, request)
      }
    },
  ),
  plant(
    "amounts by position",
    ["settle charges by the names"],
    class extends ModelStore {
      override async settle(request: SettleRequest): Promise<SettleReply> {
        const known = this.state.get(request.partition)?.reservations.get(request.key)
        const counters = request.counters.map((counter, index) => ({
          ...counter,
          name: known?.shares[index]?.name ?? counter.name,
        }))
        return super.settle(known?.shares.length === counters.length ? { ...request, counters } : request)
      }
    },
  ),
  plant(
    "a cost cut off at the reservation",
    ["a cost above the reservation"],
    withRequest((request) => ({
      ...request,
      counters: request.counters.map((counter) => ({ ...counter, amount: Math.min(counter.amount, counter.reserved) })),
    })),
  ),
  plant(
    "a settle that frees everything",
    ["settle frees only its own"],
    class extends ModelStore {
      protected override resolve(...[partition, request, known, now, how]: Resolve): SettleReply {
        const reply = super.resolve(partition, request, known, now, how)
        for (const { name } of request.counters) partition.counters.get(name)!.reserved = 0
        return reply
      }
    },
  ),
  plant(
    "a replay that charges",
    [
      "a settle sent again gets the same reply",
      "a key that is settled: settle of the same amounts",
      "the same settle sent five times",
    ],
    class extends ModelStore {
      protected override replay(...[partition, request, now, status]: Parameters<ModelStore["replay"]>): SettleReply {
        for (const counter of request.counters) this.change(partition, counter, now, { spent: counter.amount })
        return super.replay(partition, request, now, status)
      }
    },
  ),
  plant(
    "a replay that crosses thresholds",
    ["a settle sent again gets the same reply"],
    withReply((reply) =>
      reply.replayed ? { ...reply, counters: reply.counters.map((counter) => ({ ...counter, peakBefore: 0 })) } : reply,
    ),
  ),
  plant(
    "a late settle dropped",
    ["a key that is expired: settle of less", "a key that is expired: settle of more"],
    class extends ModelStore {
      protected override settleKnown(
        ...[partition, request, known, now]: Parameters<ModelStore["settleKnown"]>
      ): SettleReply {
        if (known.state !== "expired") return super.settleKnown(partition, request, known, now)
        return { ...(this.replay(partition, request, now, request.outcome) as Resolved), replayed: false, late: true }
      }
    },
  ),
  plant(
    "a late settle on top of the expiry's charge",
    ["a key that is expired: settle of less", "a late settle replaces the charge"],
    class extends ModelStore {
      protected override resolve(...[partition, request, known, now, how]: Resolve): SettleReply {
        const free =
          known?.state === "expired"
            ? { ...known, shares: known.shares.map((share) => ({ ...share, charge: 0 })) }
            : known
        return super.resolve(partition, request, free, now, how)
      }
    },
  ),
  plant(
    "late not said",
    ["a key that is expired: release"],
    withReply((reply) => ({ ...reply, late: false })),
  ),
  plant(
    "a release after the settle",
    ["a key that is settled: release", "a settle and a release of one key at once"],
    class extends ModelStore {
      protected override settleKnown(
        ...[partition, request, known, now]: Parameters<ModelStore["settleKnown"]>
      ): SettleReply {
        if (known.state !== "settled" || request.outcome !== "released")
          return super.settleKnown(partition, request, known, now)
        return this.resolve(partition, request, known, now)
      }
    },
  ),
  plant(
    "a settle after the release",
    ["a key that is released: settle"],
    class extends ModelStore {
      protected override settleKnown(
        ...[partition, request, known, now]: Parameters<ModelStore["settleKnown"]>
      ): SettleReply {
        if (known.state !== "released" || request.outcome !== "settled")
          return super.settleKnown(partition, request, known, now)
        return this.resolve(partition, request, known, now)
      }
    },
  ),
  plant(
    "a lower revision that replaces",
    ["a key that is settled: settle of a lower revision", "revisions replace upwards only"],
    class extends ModelStore {
      protected override settleKnown(
        ...[partition, request, known, now]: Parameters<ModelStore["settleKnown"]>
      ): SettleReply {
        if (known.state !== "settled" || request.revision >= known.revision)
          return super.settleKnown(partition, request, known, now)
        return this.resolve(partition, request, known, now)
      }
    },
  ),
  plant(
    "a lower revision answered as a replay",
    ["a key that is settled: settle of a lower revision"],
    class extends ModelStore {
      protected override settleKnown(
        ...[partition, request, known, now]: Parameters<ModelStore["settleKnown"]>
      ): SettleReply {
        if (known.state === "settled" && request.revision < known.revision && request.outcome === "settled")
          return this.replay(partition, request, now, "settled")
        return super.settleKnown(partition, request, known, now)
      }
    },
  ),
  plant(
    "a revision that adds",
    ["a key that is settled: settle of a higher revision"],
    class extends ModelStore {
      protected override resolve(...[partition, request, known, now, how]: Resolve): SettleReply {
        const free =
          known?.state === "settled"
            ? { ...known, shares: known.shares.map((share) => ({ ...share, charge: 0 })) }
            : known
        return super.resolve(partition, request, free, now, how)
      }
    },
  ),
  plant(
    "a higher revision with the same amounts taken for a replay",
    ["a key that is settled: settle of a higher revision", "a replayed settle writes no second entry"],
    class extends ModelStore {
      protected override settleKnown(
        ...[partition, request, known, now]: Parameters<ModelStore["settleKnown"]>
      ): SettleReply {
        const same = known.shares.every(({ name, charge }) => this.amountOf(request, name) === charge)
        if (known.state === "settled" && request.outcome === "settled" && request.revision > known.revision && same)
          return this.replay(partition, request, now, "settled")
        return super.settleKnown(partition, request, known, now)
      }
    },
  ),
  plant(
    "a forgotten key charged again",
    ["a key that was resolved and forgotten long ago", "a settle that is a mismatch, forgotten"],
    class extends ModelStore {
      protected override wasLost(): boolean {
        return true
      }

      protected override stateByEntry(): undefined {
        return undefined
      }
    },
  ),
  plant(
    "a lost key dropped",
    [
      "a key that is unknown: settle of a key that was never reserved",
      "a key that is unknown: settle of a key that the store lost",
    ],
    class extends ModelStore {
      protected override wasLost(): boolean {
        return false
      }
    },
  ),
  plant(
    "a lost key dropped when its window has closed",
    ["a lost key is charged in its window"],
    class extends ModelStore {
      protected override wasLost(request: SettleRequest, now: number): boolean {
        return super.wasLost(request, now) && request.counters.every((counter) => this.windowIsOpen(counter, now))
      }
    },
  ),
  plant(
    "a recovered settle that frees",
    ["a settle of an unknown key sent again"],
    class extends ModelStore {
      protected override settleUnknown(
        ...[partition, request, now]: Parameters<ModelStore["settleUnknown"]>
      ): SettleReply {
        const reply = super.settleUnknown(partition, request, now)
        if (reply.status === "settled")
          for (const counter of request.counters) this.change(partition, counter, now, { reserved: -counter.reserved })
        return reply
      }
    },
  ),
  plant(
    "recovered not said",
    ["a key that is unknown: settle of a key that was never reserved"],
    withReply((reply) => ({ ...reply, recovered: false })),
  ),
  plant(
    "a forgotten window counted anew",
    ["a settle does not count a forgotten window anew"],
    class extends ModelStore {
      protected override counterIsForgotten(): boolean {
        return false
      }
    },
  ),
  plant(
    "an unknown release that leaves nothing",
    ["a key that is unknown: release", "a release that overtakes its reserve"],
    class extends ModelStore {
      protected override settleUnknown(
        ...[partition, request, now]: Parameters<ModelStore["settleUnknown"]>
      ): SettleReply {
        if (request.outcome === "settled") return super.settleUnknown(partition, request, now)
        return { ...(this.replay(partition, request, now, "released") as Resolved), replayed: false }
      }
    },
  ),
  plant(
    "a settle that resolves what it read before",
    ["a settle that meets the expiry of its lease"],
    class extends ModelStore {
      override async settle(request: SettleRequest): Promise<SettleReply> {
        const partition = this.partition(request.partition)
        const before = structuredClone(partition.reservations.get(request.key))
        await meanwhile(8)
        const now = partition.reservations.get(request.key)
        if (before?.state === "held" && now?.state === "expired") partition.reservations.set(request.key, before)
        return super.settle(request)
      }
    },
  ),
  plant(
    "charges of a key in single precision",
    ["large amounts keep every digit through expiry"],
    class extends ModelStore {
      protected override resolve(...[partition, request, known, now, how]: Resolve): SettleReply {
        const reply = super.resolve(partition, request, known, now, how)
        for (const share of partition.reservations.get(request.key)!.shares)
          if (share.charge > LARGEST_INT32) share.charge = Math.fround(share.charge)
        return reply
      }
    },
  ),
  // ── Thresholds ──
  plant(
    "a peak that falls",
    ["a correction downwards keeps the peak", "revisions replace upwards only"],
    class extends ModelStore {
      protected override peakAfter(_peak: number, spent: number): number {
        return spent
      }
    },
  ),
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
  plant(
    "a peak computed after the settle",
    ["the peaks of many settles at once"],
    class extends ModelStore {
      override async settle(request: SettleRequest): Promise<SettleReply> {
        const before = this.partition(request.partition).counters.get(request.counters[0]?.name ?? "")?.peak ?? 0
        await meanwhile(4)
        const reply = await super.settle(request)
        if (reply.status !== "settled") return reply
        return { ...reply, counters: reply.counters.map((counter) => ({ ...counter, peakBefore: before })) }
      }
    },
  ),
  // ── Adjustments ──
  ...(["reserved", "granted"] as const).map((field) =>
    plant(
      `a reset that clears what is ${field}`,
      ["a reset makes spent and peak zero"],
      class extends ModelStore {
        protected override applyAdjustment(...[partition, request, now]: Parameters<ModelStore["applyAdjustment"]>) {
          const before = this.stateOf(partition, request.counter.name, now)[field]
          if (request.kind === "reset") this.change(partition, request.counter, now, { [field]: -before })
          return super.applyAdjustment(partition, request, now)
        }
      },
    ),
  ),
  plant(
    "a reset that forgets the peak before it",
    ["a reset makes spent and peak zero"],
    class extends ModelStore {
      override async adjust(request: AdjustRequest): Promise<AdjustReply> {
        const reply = await super.adjust(request)
        if (reply.status !== "ok" || request.kind !== "reset") return reply
        return { ...reply, counter: { ...reply.counter, peakBefore: 0 } }
      }
    },
  ),
  plant(
    "a correction that crosses no threshold",
    ["a correction moves spent up and down"],
    class extends ModelStore {
      override async adjust(request: AdjustRequest): Promise<AdjustReply> {
        const reply = await super.adjust(request)
        if (reply.status !== "ok" || request.kind !== "spent") return reply
        return { ...reply, counter: { ...reply.counter, peakBefore: reply.counter.peak } }
      }
    },
  ),
  plant(
    "grants without a sign",
    ["grants below zero"],
    class extends ModelStore {
      protected override applyAdjustment(...[partition, request, now]: Parameters<ModelStore["applyAdjustment"]>) {
        const { granted } = this.stateOf(partition, request.counter.name, now)
        const delta = request.kind === "granted" ? Math.max(-granted, request.delta) : request.delta
        return super.applyAdjustment(partition, { ...request, delta }, now)
      }
    },
  ),
  plant(
    "`applied` as requested, not as done",
    ["`applied` is what changed"],
    class extends ModelStore {
      override async adjust(request: AdjustRequest): Promise<AdjustReply> {
        const reply = await super.adjust(request)
        return reply.status === "ok" && request.kind !== "reset" ? { ...reply, applied: request.delta } : reply
      }
    },
  ),
  plant(
    "`applied` of a replay in single precision",
    ["`applied` is what changed"],
    class extends ModelStore {
      override async adjust(request: AdjustRequest): Promise<AdjustReply> {
        const reply = await super.adjust(request)
        return reply.status === "ok" && reply.replayed ? { ...reply, applied: Math.fround(reply.applied) } : reply
      }
    },
  ),
  plant(
    "a grant on every retry",
    ["an adjustment sent again applies once"],
    class extends ModelStore {
      override async adjust(request: AdjustRequest): Promise<AdjustReply> {
        const reply = await super.adjust(request)
        if (request.kind === "granted" && reply.status === "ok" && reply.replayed)
          this.change(this.partition(request.partition), request.counter, reply.now, { granted: request.delta })
        return reply
      }
    },
  ),
  plant(
    "a reset on every retry",
    ["a reset sent again does not reset"],
    class extends ModelStore {
      override async adjust(request: AdjustRequest): Promise<AdjustReply> {
        if (request.kind === "reset") this.partition(request.partition).adjustments.delete(request.key)
        return super.adjust(request)
      }
    },
  ),
  plant(
    "adjustments told apart by amount alone",
    ["an adjustment's key with other content"],
    class extends ModelStore {
      override async adjust(request: AdjustRequest): Promise<AdjustReply> {
        const reply = await super.adjust(request)
        const known = this.partition(request.partition).adjustments.get(request.key)
        if (reply.status !== "mismatch" || !known?.content.endsWith(`,${request.delta}]`)) return reply
        const counter = this.unchanged(this.partition(request.partition), request.counter.name, reply.now)
        return { now: reply.now, status: "ok", counter, replayed: true, applied: known.applied }
      }
    },
  ),
  plant(
    "an adjustment whose window is checked before its key",
    ["an adjustment sent again after its window has closed"],
    class extends ModelStore {
      override async adjust(request: AdjustRequest): Promise<AdjustReply> {
        const reply = await super.adjust(request)
        return this.windowIsOpen(request.counter, reply.now) ? reply : { now: reply.now, status: "stale-window" }
      }
    },
  ),
  plant(
    "adjustments forgotten after the retention",
    ["the key of an adjustment without a window"],
    class extends ModelStore {
      protected override adjustmentForgetAt(endsAt: number | null, now: number): number {
        return (endsAt ?? now) + this.capabilities.retentionMs
      }
    },
  ),
  plant(
    "one table of keys for reservations and adjustments",
    ["adjustments and reservations have keys of their own"],
    class extends ModelStore {
      override async adjust(request: AdjustRequest): Promise<AdjustReply> {
        const partition = this.partition(request.partition)
        if (!partition.reservations.has(request.key)) return super.adjust(request)
        const now = this.now(request.partition)
        const counter = this.unchanged(partition, request.counter.name, now)
        return { now, status: "ok", counter, replayed: true, applied: 0 }
      }
    },
  ),
  plant(
    "one table of adjustments for every partition",
    ["partitions do not see each other", "leases end in their own partition"],
    class extends ModelStore {
      protected override adjustmentAt(_partition: ModelPartition, key: string, now: number) {
        const known = [...this.state.values()].map((partition) => super.adjustmentAt(partition, key, now))
        return known.find((adjustment) => adjustment !== undefined)
      }
    },
  ),
  plant(
    "an adjustment that writes back what was reserved",
    ["corrections, grants and resets among"],
    class extends ModelStore {
      override async adjust(request: AdjustRequest): Promise<AdjustReply> {
        const counters = this.partition(request.partition).counters
        const { reserved } = counters.get(request.counter.name) ?? { reserved: 0 }
        await meanwhile(8)
        const reply = await super.adjust(request)
        if (reply.status === "ok" && !reply.replayed) counters.get(request.counter.name)!.reserved = reserved
        return reply
      }
    },
  ),
  // ── Damage ──
  plant(
    "a settle of a damaged key that frees nothing",
    ["a key whose record is damaged"],
    class extends ModelStore {
      protected override settleDamaged(
        ...[partition, request, now]: Parameters<ModelStore["settleDamaged"]>
      ): SettleReply {
        const counters = request.counters.map((counter) => ({ ...counter, reserved: 0 }))
        return super.settleDamaged(partition, { ...request, counters }, now)
      }
    },
  ),
  plant(
    "a settled key that stays in the list of the damaged",
    ["a lease that is set aside keeps its money"],
    class extends ModelStore {
      protected override resolve(...[partition, request, known, now, how]: Resolve): SettleReply {
        const wasDamaged = partition.damaged.has(request.key)
        const reply = super.resolve(partition, request, known, now, how)
        if (wasDamaged) partition.damaged.add(request.key)
        return reply
      }
    },
  ),
  plant(
    "shares of a damaged key charged twice",
    ["a key whose record is damaged"],
    class extends ModelStore {
      protected override settleDamaged(
        ...[partition, request, now]: Parameters<ModelStore["settleDamaged"]>
      ): SettleReply {
        const reply = super.settleDamaged(partition, request, now)
        const shares = partition.reservations.get(request.key)!.shares as ModelShare[]
        for (const share of shares) this.change(partition, share, now, { spent: share.charge })
        return reply
      }
    },
  ),
]
