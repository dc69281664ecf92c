import type {
  CounterRef,
  ExpireReply,
  ExpireRequest,
  ExtendReply,
  ExtendRequest,
  ReserveReply,
  ReserveRequest,
  SettleReply,
  SettleRequest,
} from "../../../src/store/budget-store"
import { type Decision, ModelStore } from "../../../src/testing/model"
import type { ModelCounter, ModelPartition, ModelShare } from "../../../src/testing/model-state"
import type { ModelClass } from "../model-target"
import { LARGEST_INT32, meanwhile, plant } from "./plant"

const DAY_MS = 86_400_000

/** How leases end. */
export const leasePlants = [
  plant(
    "expiry that never charges",
    ["expiry charges each counter its onExpire", "a key that is held, lease ended: expire"],
    class extends ModelStore {
      protected override chargeOnExpiry(): number {
        return 0
      }
    },
  ),
  plant(
    "expiry that charges in full",
    ["expiry charges each counter its onExpire"],
    class extends ModelStore {
      protected override chargeOnExpiry(share: ModelShare): number {
        return share.amount
      }
    },
  ),
  plant(
    "expiry in 32 bits",
    ["large amounts keep every digit through expiry"],
    class extends ModelStore {
      protected override chargeOnExpiry(share: ModelShare): number {
        return Math.min(share.onExpire, LARGEST_INT32)
      }
    },
  ),
  plant(
    "expiry that replies in the order of the reserve",
    ["expiry charges each counter its onExpire"],
    class extends ModelStore {
      override async expire(request: ExpireRequest): Promise<ExpireReply> {
        const known = this.state.get(request.partition)?.reservations.get(request.key)
        const names = known?.shares.map(({ name }) => name) ?? []
        return super.expire(names.length === request.counters.length ? { ...request, counters: names } : request)
      }
    },
  ),
  plant(
    "expiry that crosses no threshold",
    ["expiry raises the peak", "a key that is held, lease ended: expire"],
    class extends ModelStore {
      override async expire(request: ExpireRequest): Promise<ExpireReply> {
        const reply = await super.expire(request)
        if (reply.status !== "expired") return reply
        return { ...reply, counters: reply.counters.map((counter) => ({ ...counter, peakBefore: counter.peak })) }
      }
    },
  ),
  plant(
    "expiry of any counters",
    ["expire that names other counters"],
    class extends ModelStore {
      override async expire(request: ExpireRequest): Promise<ExpireReply> {
        const reply = await super.expire(request)
        return reply.status === "other-counters" ? super.expire({ ...request, counters: reply.storedCounters }) : reply
      }
    },
  ),
  plant(
    "expiry before the end",
    ["a lease lasts until its end", "a lease that has not ended"],
    class extends ModelStore {
      override async expire(request: ExpireRequest): Promise<ExpireReply> {
        const end = this.partition(request.partition).leases.get(request.key)
        if (end !== undefined) this.partition(request.partition).leases.set(request.key, 0)
        return super.expire(request)
      }
    },
  ),
  plant(
    "a lease that lasts a millisecond longer",
    ["a lease lasts until its end"],
    class extends ModelStore {
      protected override leaseHasEnded(leaseEnd: number): boolean {
        return leaseEnd < this.clock()
      }
    },
  ),
  plant(
    "an expiry that ends every lease that is due",
    ["expire ends one lease"],
    class extends ModelStore {
      override async expire(request: ExpireRequest): Promise<ExpireReply> {
        const reply = await super.expire(request)
        const partition = this.partition(request.partition)
        for (const key of reply.status === "expired" ? this.dueKeys(partition) : [])
          this.expireHeld(partition, key, partition.reservations.get(key)!, reply.now)
        return reply
      }
    },
  ),
  plant(
    "a reserve that ends leases",
    ["no call but expire ends another key's lease"],
    class extends ModelStore {
      override async reserve(request: ReserveRequest): Promise<ReserveReply> {
        const partition = this.partition(request.partition)
        for (const key of this.dueKeys(partition))
          if (key !== request.key)
            this.expireHeld(partition, key, partition.reservations.get(key)!, this.now(request.partition))
        return super.reserve(request)
      }
    },
  ),
  plant(
    "a read that ends leases",
    ["no call but expire ends another key's lease"],
    class extends ModelStore {
      override async read(request: Parameters<ModelStore["read"]>[0]) {
        const partition = this.partition(request.partition)
        for (const key of this.dueKeys(partition))
          this.expireHeld(partition, key, partition.reservations.get(key)!, this.now(request.partition))
        return super.read(request)
      }
    },
  ),
  plant(
    "a denial that does not say that leases are due",
    ["no call but expire ends another key's lease"],
    class extends ModelStore {
      override async reserve(request: ReserveRequest): Promise<ReserveReply> {
        const reply = await super.reserve(request)
        return reply.status === "exceeded" ? { ...reply, due: false } : reply
      }
    },
  ),
  plant(
    "a reserve of its own key that ends the lease",
    ["a key that is held, lease ended: reserve"],
    class extends ModelStore {
      protected override decide(partition: ModelPartition, request: ReserveRequest, now: number): Decision {
        const decision = super.decide(partition, request, now)
        if (decision.status !== "lease-ended") return decision
        this.expireHeld(partition, request.key, partition.reservations.get(request.key)!, now)
        return { status: "resolved", state: "expired" }
      }
    },
  ),
  plant(
    "leases listed in any order",
    ["listDue lists the oldest first"],
    class extends ModelStore {
      override async listDue(request: Parameters<ModelStore["listDue"]>[0]) {
        const reply = await super.listDue(request)
        return { ...reply, due: reply.due.reverse() }
      }
    },
  ),
  plant(
    "leases that are never listed after the first page",
    ["five hundred leases"],
    class extends ModelStore {
      #listed = 0

      override async listDue(request: Parameters<ModelStore["listDue"]>[0]) {
        const reply = await super.listDue(request)
        this.#listed += reply.due.length
        return this.#listed > 64 ? { ...reply, due: [] } : reply
      }
    },
  ),
  plant(
    "leases that are listed without their counters",
    ["a lease lasts until its end", "listDue lists the oldest first"],
    class extends ModelStore {
      override async listDue(request: Parameters<ModelStore["listDue"]>[0]) {
        const reply = await super.listDue(request)
        return { ...reply, due: reply.due.map((lease) => ({ ...lease, counters: [] })) }
      }
    },
  ),
  plant(
    "leases that stay due after a settle",
    ["a settled or released lease never expires"],
    class extends ModelStore {
      override async settle(request: SettleRequest): Promise<SettleReply> {
        const partition = this.partition(request.partition)
        const end = partition.leases.get(request.key)
        const reply = await super.settle(request)
        if (end !== undefined) partition.leases.set(request.key, end)
        return reply
      }
    },
  ),
  plant(
    "an expiry of what was settled meanwhile",
    ["a settle that meets the expiry of its lease"],
    class extends ModelStore {
      override async expire(request: ExpireRequest): Promise<ExpireReply> {
        const partition = this.partition(request.partition)
        const before = structuredClone(partition.reservations.get(request.key))
        const end = partition.leases.get(request.key)
        await meanwhile(8)
        if (before?.state === "held" && end !== undefined) {
          partition.reservations.set(request.key, before)
          partition.leases.set(request.key, end)
        }
        return super.expire(request)
      }
    },
  ),
  plant(
    "an expiry that two callers may do",
    ["one lease expired by many callers"],
    class extends ModelStore {
      override async expire(request: ExpireRequest): Promise<ExpireReply> {
        const partition = this.partition(request.partition)
        const before = structuredClone(partition.reservations.get(request.key))
        const end = partition.leases.get(request.key)
        await meanwhile(8)
        if (before?.state === "held" && end !== undefined) {
          partition.reservations.set(request.key, before)
          partition.leases.set(request.key, end)
        }
        return super.expire(request)
      }
    },
  ),
  plant(
    "extend that revives",
    ["a key that is held, lease ended: extend"],
    class extends ModelStore {
      override async extend(request: ExtendRequest): Promise<ExtendReply> {
        const known = this.state.get(request.partition)?.reservations.get(request.key)
        if (known?.state === "held") known.leaseEnd = Math.max(known.leaseEnd, this.clock() + 1)
        return super.extend(request)
      }
    },
  ),
  plant(
    "extend that shortens",
    ["extend moves the end"],
    class extends ModelStore {
      override async extend(request: ExtendRequest): Promise<ExtendReply> {
        const known = this.state.get(request.partition)?.reservations.get(request.key)
        if (known?.state === "held" && known.leaseEnd > this.clock()) known.leaseEnd = this.clock() + 1
        return super.extend(request)
      }
    },
  ),
  plant(
    "extend that leaves the list of leases",
    ["extend moves the end"],
    class extends ModelStore {
      override async extend(request: ExtendRequest): Promise<ExtendReply> {
        const { leases } = this.partition(request.partition)
        const end = leases.get(request.key)
        const reply = await super.extend(request)
        if (end !== undefined) leases.set(request.key, end)
        return reply
      }
    },
  ),
  plant(
    "extend that writes back the reservation",
    ["an extend that meets a settle", "an extend that meets the expiry of its lease"],
    class extends ModelStore {
      override async extend(request: ExtendRequest): Promise<ExtendReply> {
        const { reservations } = this.partition(request.partition)
        const before = structuredClone(reservations.get(request.key))
        await meanwhile(8)
        if (before?.state === "held") reservations.set(request.key, before)
        return super.extend(request)
      }
    },
  ),
  plant(
    "leases no longer than the retention",
    ["a lease may be longer than the retention"],
    class extends ModelStore {
      protected override leaseEnd(leaseMs: number, now: number): number {
        return super.leaseEnd(Math.min(leaseMs, this.capabilities.retentionMs), now)
      }
    },
  ),
  plant(
    "leases of every partition listed",
    ["leases end in their own partition"],
    class extends ModelStore {
      override async listDue(request: Parameters<ModelStore["listDue"]>[0]) {
        const replies = await Promise.all(
          [...this.state.keys()].map((partition) => super.listDue({ ...request, partition })),
        )
        return { ...(await super.listDue(request)), due: replies.flatMap(({ due }) => due).slice(0, request.limit) }
      }
    },
  ),
  plant(
    "a settle in every partition",
    ["leases end in their own partition"],
    class extends ModelStore {
      override async settle(request: SettleRequest): Promise<SettleReply> {
        const reply = await super.settle(request)
        for (const partition of this.state.keys())
          if (partition !== request.partition) await super.settle({ ...request, partition })
        return reply
      }
    },
  ),
  plant(
    "an extend in every partition",
    ["leases end in their own partition"],
    class extends ModelStore {
      override async extend(request: ExtendRequest): Promise<ExtendReply> {
        for (const partition of this.state.keys())
          if (partition !== request.partition) await super.extend({ ...request, partition })
        return super.extend(request)
      }
    },
  ),
]

/** Moves `startsAt` and `endsAt` before the window is checked. */
const withWindow = (change: (counter: CounterRef, now: number) => CounterRef): ModelClass =>
  class extends ModelStore {
    protected override windowIsOpen(counter: CounterRef, now: number): boolean {
      return super.windowIsOpen(change(counter, now), now)
    }
  }

/** Operations that should write the time and do not. */
const withoutTime = (member: "settle" | "expire" | "adjust" | "reserve"): ModelClass =>
  class extends ModelStore {
    #member = ""

    override async reserve(...request: Parameters<ModelStore["reserve"]>) {
      this.#member = "reserve"
      return super.reserve(...request)
    }

    override async settle(...request: Parameters<ModelStore["settle"]>) {
      this.#member = "settle"
      return super.settle(...request)
    }

    override async expire(...request: Parameters<ModelStore["expire"]>) {
      this.#member = "expire"
      return super.expire(...request)
    }

    override async adjust(...request: Parameters<ModelStore["adjust"]>) {
      this.#member = "adjust"
      return super.adjust(...request)
    }

    protected override writeTime(partition: ModelPartition, now: number): void {
      if (this.#member !== member) super.writeTime(partition, now)
    }
  }

/** Windows, wrong clocks, and how long things are kept. */
export const timePlants = [
  plant(
    "the caller's clock",
    ["every reply carries the store's time", "a lease lasts until its end"],
    class extends ModelStore {
      constructor(options: ConstructorParameters<ModelClass>[0]) {
        super({ ...options, clock: () => Date.now() })
      }
    },
  ),
  plant(
    "windows of another time zone",
    ["a window is open from its start", "windows have the caller's length"],
    withWindow((counter) => ({
      ...counter,
      startsAt: counter.startsAt && counter.startsAt - 5.5 * 3_600_000,
      endsAt: counter.endsAt && counter.endsAt - 5.5 * 3_600_000,
    })),
  ),
  plant(
    "months of 30 days",
    ["windows have the caller's length"],
    withWindow((counter) => {
      const days = (Number(counter.endsAt) - Number(counter.startsAt)) / DAY_MS
      return days < 28 || days > 31 ? counter : { ...counter, endsAt: counter.startsAt! + 30 * DAY_MS }
    }),
  ),
  plant(
    "windows that never end",
    ["a window is open from its start"],
    withWindow((counter) => ({ ...counter, endsAt: null })),
  ),
  plant(
    "windows that have always begun",
    ["a caller whose clock is fast"],
    withWindow((counter) => ({ ...counter, startsAt: null })),
  ),
  plant(
    "windows that end a millisecond late",
    ["a window is open from its start"],
    withWindow((counter) => ({ ...counter, endsAt: counter.endsAt && counter.endsAt + 1 })),
  ),
  plant(
    "windows checked before the key",
    ["a reserve looks up its key before the windows"],
    class extends ModelStore {
      protected override decide(partition: ModelPartition, request: ReserveRequest, now: number): Decision {
        const which = request.counters.flatMap((counter, index) => (this.windowIsOpen(counter, now) ? [] : [index]))
        return which.length > 0 ? { status: "stale-window", which } : super.decide(partition, request, now)
      }
    },
  ),
  plant(
    "a denial before a stale window",
    ["a reserve names every counter whose window is not open"],
    class extends ModelStore {
      protected override decide(partition: ModelPartition, request: ReserveRequest, now: number): Decision {
        const decision = super.decide(partition, request, now)
        const which = request.counters.flatMap((counter, index) => (this.fits(partition, counter, now) ? [] : [index]))
        return decision.status === "stale-window" && which.length > 0 ? { status: "exceeded", which } : decision
      }
    },
  ),
  plant(
    "time that runs backwards",
    ["time does not run backwards", "a clock that jumps two days ahead and back"],
    class extends ModelStore {
      protected override now(): number {
        return this.clock()
      }
    },
  ),
  plant(
    "leases by the latest time",
    ["leases are measured by the clock alone"],
    class extends ModelStore {
      protected override leaseEnd(leaseMs: number, now: number): number {
        return now + leaseMs
      }
    },
  ),
  plant(
    "leases that are due by the latest time",
    ["leases are measured by the clock alone"],
    class extends ModelStore {
      protected override leaseHasEnded(leaseEnd: number): boolean {
        const times = [...this.state.values()].map(({ time }) => time ?? 0)
        return leaseEnd <= Math.max(this.clock(), ...times)
      }
    },
  ),
  ...(["reserve", "settle", "expire", "adjust"] as const).map((member) =>
    plant(
      `a time that ${member} does not write`,
      ["each admitted reserve, settle, expire and adjust"],
      withoutTime(member),
    ),
  ),
  plant(
    "a time that denials write",
    ["each admitted reserve, settle, expire and adjust"],
    class extends ModelStore {
      override async reserve(request: ReserveRequest): Promise<ReserveReply> {
        const reply = await super.reserve(request)
        this.writeTime(this.partition(request.partition), reply.now)
        return reply
      }
    },
  ),
  plant(
    "a time that read writes",
    ["each admitted reserve, settle, expire and adjust"],
    class extends ModelStore {
      override async read(request: Parameters<ModelStore["read"]>[0]) {
        const reply = await super.read(request)
        this.writeTime(this.partition(request.partition), reply.now)
        return reply
      }
    },
  ),
  plant(
    "a time that a restart forgets",
    ["a restart keeps the partition's latest time"],
    class extends ModelStore {
      protected override writeTime(partition: ModelPartition, now: number): void {
        super.writeTime(partition, now)
        const { time } = partition
        // A copy of the state, as a restart makes it, leaves out what is not enumerable.
        Object.defineProperty(partition, "time", { value: time, enumerable: false, configurable: true, writable: true })
      }
    },
  ),
  plant(
    "what is forgotten is deleted at once",
    ["a clock that jumps two days ahead and back"],
    class extends ModelStore {
      protected override deletionMarginMs(): number {
        return 0
      }
    },
  ),
  plant(
    "a clock that cannot be accepted",
    ["a clock that jumps two days ahead and back"],
    class extends ModelStore {
      override async acceptClock(request: { partition: string }) {
        return { now: this.clock(), before: this.now(request.partition) }
      }
    },
  ),
  plant(
    "a check that does not see the clock",
    ["a clock that jumps two days ahead and back"],
    class extends ModelStore {
      override async check(request?: { partition?: string | undefined }) {
        return { ...(await super.check(request)), clockBehindMs: 0 }
      }
    },
  ),
  // ── Retention ──
  plant(
    "counters forgotten though something is reserved",
    ["a counter in which something is reserved", "a window that closes while a lease is open"],
    class extends ModelStore {
      protected override counterIsOver(counter: ModelCounter, now: number): boolean {
        return counter.forgetAt <= now
      }
    },
  ),
  plant(
    "housekeeping that deletes counters in which something is reserved",
    ["a counter in which something is reserved"],
    class extends ModelStore {
      protected override deleteForgotten(partition: ModelPartition): void {
        super.deleteForgotten(partition)
        const before = this.clock() - this.deletionMarginMs()
        for (const [name, { forgetAt }] of partition.counters) if (forgetAt <= before) partition.counters.delete(name)
      }
    },
  ),
  plant(
    "held keys forgotten",
    ["a held key is never forgotten", "a window that closes while a lease is open"],
    class extends ModelStore {
      protected override hold(partition: ModelPartition, request: ReserveRequest, now: number): void {
        super.hold(partition, request, now)
        const forgetAt = now + request.leaseMs + this.capabilities.retentionMs
        partition.reservations.get(request.key)!.forgetAt = forgetAt
      }

      protected override dueKeys(partition: ModelPartition): string[] {
        return super.dueKeys(partition).filter((key) => this.reservationAt(partition, key, this.clock()) !== undefined)
      }
    },
  ),
  plant(
    "keys forgotten at the end of the lease",
    ["a resolved key is known for the retention"],
    class extends ModelStore {
      protected override resolvedUntil(leaseEnd: number): number {
        return leaseEnd
      }

      protected override stateByEntry(): undefined {
        return undefined
      }
    },
  ),
  plant(
    "keys forgotten while they may be charged again",
    ["a key that was settled early in a long lease", "a lost key that was recovered"],
    class extends ModelStore {
      protected override resolvedUntil(_leaseEnd: number, now: number): number {
        return now + this.capabilities.retentionMs
      }

      protected override stateByEntry(): undefined {
        return undefined
      }
    },
  ),
  plant(
    "keys forgotten by their first lease",
    ["a key whose lease was extended"],
    class extends ModelStore {
      readonly #firstEnds = new Map<string, number>()

      protected override hold(partition: ModelPartition, request: ReserveRequest, now: number): void {
        super.hold(partition, request, now)
        this.#firstEnds.set(request.key, this.leaseEnd(request.leaseMs, now))
      }

      override async settle(request: SettleRequest): Promise<SettleReply> {
        const reply = await super.settle(request)
        const known = this.partition(request.partition).reservations.get(request.key)
        const first = this.#firstEnds.get(request.key)
        if (known && first !== undefined && "replayed" in reply && !reply.replayed)
          known.forgetAt = Math.max(first, reply.now) + this.capabilities.retentionMs
        return reply
      }

      protected override stateByEntry(): undefined {
        return undefined
      }
    },
  ),
  plant(
    "a release of an unknown key kept for a second",
    ["a released key that was unknown"],
    class extends ModelStore {
      protected override settleUnknown(
        ...[partition, request, now]: Parameters<ModelStore["settleUnknown"]>
      ): SettleReply {
        const reply = super.settleUnknown(partition, request, now)
        if (reply.status === "released") partition.reservations.get(request.key)!.forgetAt = now + 1_000
        return reply
      }

      protected override stateByEntry(): undefined {
        return undefined
      }
    },
  ),
  plant(
    "counters forgotten before the keys that name them",
    ["a counter is kept as long as any resolved key"],
    class extends ModelStore {
      protected override change(...[partition, ref, now, by]: Parameters<ModelStore["change"]>) {
        return super.change(partition, ref, now, by)
      }
    },
  ),
  plant(
    "closed windows forgotten at their end",
    ["a closed window is kept for the retention"],
    class extends ModelStore {
      protected override counterForgetAt(ref: CounterRef, now: number): number {
        return ref.endsAt ?? super.counterForgetAt(ref, now)
      }

      protected override resolvedUntil(): number {
        return 0
      }
    },
  ),
  plant(
    "idle counters kept for ever",
    ["a counter without a window is kept for ever", "keepMs may be sixty days"],
    class extends ModelStore {
      protected override counterForgetAt(ref: CounterRef, now: number): number {
        return super.counterForgetAt({ ...ref, keepMs: null }, now)
      }
    },
  ),
  plant(
    "endless counters forgotten after a month",
    ["a counter without a window is kept for ever"],
    class extends ModelStore {
      protected override counterForgetAt(ref: CounterRef, now: number): number {
        return super.counterForgetAt({ ...ref, keepMs: ref.keepMs ?? 7 * DAY_MS }, now)
      }
    },
  ),
  plant(
    "idle times in 32 bits",
    ["keepMs may be sixty days"],
    class extends ModelStore {
      protected override counterForgetAt(ref: CounterRef, now: number): number {
        return super.counterForgetAt({ ...ref, keepMs: ref.keepMs === null ? null : ref.keepMs | 0 }, now)
      }
    },
  ),
  plant(
    "records that are never deleted",
    ["memory is bounded"],
    class extends ModelStore {
      protected override deleteForgotten(): void {}
    },
  ),
  plant(
    "adjustments that are never deleted",
    ["memory is bounded"],
    class extends ModelStore {
      protected override adjustmentForgetAt(): number {
        return Number.POSITIVE_INFINITY
      }
    },
  ),
  plant(
    "keys not known by their entries",
    ["a forgotten key is known by its usage entry"],
    class extends ModelStore {
      protected override stateByEntry(): undefined {
        return undefined
      }
    },
  ),
  plant(
    "keys known by recorded entries",
    ["a recorded entry does not make its key known", "record does nothing to a reservation's entry"],
    class extends ModelStore {
      protected override stateByEntry(partition: ModelPartition, key: string, now: number) {
        return this.ledger.entryAt(partition, key, now) === undefined ? undefined : ("settled" as const)
      }
    },
  ),
]
