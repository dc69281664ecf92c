import type { CounterRef } from "../../../src/store/budget-store"
import type { ModelStore } from "../../../src/testing/model"
import { type Change, hide, LARGEST_INT32, meanwhile, memberPlant, plant } from "./plant"

const DAY_MS = 86_400_000

/** Expires what it read before other calls changed it. */
const staleExpire: Change<ModelStore> & ThisType<ModelStore> = {
  async expire(base, request) {
    const partition = this.partition(request.partition)
    const before = structuredClone(partition.reservations.get(request.key))
    const end = partition.leases.get(request.key)
    await meanwhile(8)
    if (before?.state === "held" && end !== undefined) {
      partition.reservations.set(request.key, before)
      partition.leases.set(request.key, end)
    }
    return base(request)
  },
}

/** How leases end. */
export const leasePlants = [
  plant(
    "expiry that never charges",
    ["expiry charges each counter its onExpire", "a key that is held, lease ended: expire"],
    { chargeOnExpiry: () => 0 },
  ),
  plant("expiry that charges in full", ["expiry charges each counter its onExpire"], {
    chargeOnExpiry: (_base, share) => share.amount,
  }),
  plant("expiry in 32 bits", ["large amounts keep every digit through expiry"], {
    chargeOnExpiry: (_base, share) => Math.min(share.onExpire, LARGEST_INT32),
  }),
  plant("expiry that replies in the order of the reserve", ["expiry charges each counter its onExpire"], {
    async expire(base, request) {
      const reservation = this.state.get(request.partition)?.reservations.get(request.key)
      const names = reservation?.shares.map(({ name }) => name) ?? []
      return base(names.length === request.counters.length ? { ...request, counters: names } : request)
    },
  }),
  plant("expiry that crosses no threshold", ["expiry raises the peak", "a key that is held, lease ended: expire"], {
    async expire(base, request) {
      const reply = await base(request)
      if (reply.status !== "expired") return reply
      return { ...reply, counters: reply.counters.map((counter) => ({ ...counter, peakBefore: counter.peak })) }
    },
  }),
  plant("expiry of any counters", ["expire that names other counters"], {
    async expire(base, request) {
      const reply = await base(request)
      return reply.status === "other-counters" ? base({ ...request, counters: reply.storedCounters }) : reply
    },
  }),
  plant("expiry before the end", ["a lease lasts until its end", "a lease that has not ended"], {
    async expire(base, request) {
      const end = this.partition(request.partition).leases.get(request.key)
      if (end !== undefined) this.partition(request.partition).leases.set(request.key, 0)
      return base(request)
    },
  }),
  plant("a lease that lasts a millisecond longer", ["a lease lasts until its end"], {
    leaseHasEnded(_base, leaseEnd) {
      return leaseEnd < this.clock()
    },
  }),
  plant("an expiry that ends every lease that is due", ["expire ends one lease"], {
    async expire(base, request) {
      const reply = await base(request)
      const partition = this.partition(request.partition)
      for (const key of reply.status === "expired" ? this.dueKeys(partition) : [])
        this.expireHeld(partition, key, partition.reservations.get(key)!, reply.now)
      return reply
    },
  }),
  ...(["reserve", "read"] as const).map((member) =>
    memberPlant(
      `a ${member} that ends leases`,
      ["no call but expire ends another key's lease"],
      member,
      async function (base, request) {
        const partition = this.partition(request.partition)
        for (const key of this.dueKeys(partition))
          if (key !== request.key)
            this.expireHeld(partition, key, partition.reservations.get(key)!, this.now(request.partition))
        return base(request)
      },
    ),
  ),
  plant("a denial that does not report that leases are due", ["no call but expire ends another key's lease"], {
    async reserve(base, request) {
      const reply = await base(request)
      return reply.status === "exceeded" ? { ...reply, due: false } : reply
    },
  }),
  plant("a reserve of its own key that ends the lease", ["a key that is held, lease ended: reserve"], {
    decide(base, partition, request, now) {
      const decision = base(partition, request, now)
      if (decision.status !== "lease-ended") return decision
      this.expireHeld(partition, request.key, partition.reservations.get(request.key)!, now)
      return { status: "resolved", state: "expired" }
    },
  }),
  plant("leases listed in any order", ["listDue lists the oldest first"], {
    async listDue(base, request) {
      const reply = await base(request)
      return { ...reply, due: reply.due.reverse() }
    },
  }),
  plant("leases that are never listed after the first page", ["five hundred leases"], () => {
    let listed = 0
    return {
      async listDue(base, request) {
        const reply = await base(request)
        listed += reply.due.length
        return listed > 64 ? { ...reply, due: [] } : reply
      },
    }
  }),
  plant(
    "leases that are listed without their counters",
    ["a lease lasts until its end", "listDue lists the oldest first"],
    {
      async listDue(base, request) {
        const reply = await base(request)
        return { ...reply, due: reply.due.map((lease) => ({ ...lease, counters: [] })) }
      },
    },
  ),
  plant("leases that stay due after a settle", ["a settled or released lease never expires"], {
    async settle(base, request) {
      const partition = this.partition(request.partition)
      const end = partition.leases.get(request.key)
      const reply = await base(request)
      if (end !== undefined) partition.leases.set(request.key, end)
      return reply
    },
  }),
  plant("an expiry of what was settled meanwhile", ["a settle that meets the expiry of its lease"], staleExpire),
  plant("an expiry that two callers may do", ["one lease expired by many concurrent callers"], staleExpire),
  plant("extend that revives", ["a key that is held, lease ended: extend"], {
    async extend(base, request) {
      const reservation = this.state.get(request.partition)?.reservations.get(request.key)
      if (reservation?.state === "held") reservation.leaseEnd = Math.max(reservation.leaseEnd, this.clock() + 1)
      return base(request)
    },
  }),
  plant("extend that shortens", ["extend moves the end"], {
    async extend(base, request) {
      const reservation = this.state.get(request.partition)?.reservations.get(request.key)
      if (reservation?.state === "held" && reservation.leaseEnd > this.clock()) reservation.leaseEnd = this.clock() + 1
      return base(request)
    },
  }),
  plant("extend that leaves the list of leases", ["extend moves the end"], {
    async extend(base, request) {
      const { leases } = this.partition(request.partition)
      const end = leases.get(request.key)
      const reply = await base(request)
      if (end !== undefined) leases.set(request.key, end)
      return reply
    },
  }),
  plant(
    "extend that writes back the reservation",
    ["an extend that meets a settle", "an extend that meets the expiry of its lease"],
    {
      async extend(base, request) {
        const { reservations } = this.partition(request.partition)
        const before = structuredClone(reservations.get(request.key))
        await meanwhile(8)
        if (before?.state === "held") reservations.set(request.key, before)
        return base(request)
      },
    },
  ),
  plant("leases no longer than the retention", ["a lease may be longer than the retention"], {
    leaseEnd(base, leaseMs, now) {
      return base(Math.min(leaseMs, this.capabilities.retentionMs), now)
    },
  }),
  plant("leases of every partition listed", ["leases end in their own partition"], {
    async listDue(base, request) {
      const replies = await Promise.all([...this.state.keys()].map((partition) => base({ ...request, partition })))
      return { ...(await base(request)), due: replies.flatMap(({ due }) => due).slice(0, request.limit) }
    },
  }),
  ...(["a settle", "an extend"] as const).map((what) =>
    memberPlant(
      `${what} in every partition`,
      ["leases end in their own partition"],
      what === "a settle" ? "settle" : "extend",
      async function (base, request) {
        for (const partition of this.state.keys())
          if (partition !== request.partition) await base({ ...request, partition })
        return base(request)
      },
    ),
  ),
]

/** Moves `startsAt` and `endsAt` before the window is checked. */
const withWindow = (change: (counter: CounterRef, now: number) => CounterRef): Change<ModelStore> => ({
  windowIsOpen: (base, counter, now) => base(change(counter, now), now),
})

/** Windows, wrong clocks, and retention. */
export const timePlants = [
  plant("the caller's clock", ["every reply carries the store's time", "a lease lasts until its end"], {
    clock: () => Date.now(),
  }),
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
  plant("windows checked before the key", ["a reserve looks up its key before the windows"], {
    decide(base, partition, request, now) {
      const which = request.counters.flatMap((counter, index) => (this.windowIsOpen(counter, now) ? [] : [index]))
      return which.length > 0 ? { status: "stale-window", which } : base(partition, request, now)
    },
  }),
  plant("a denial before a stale window", ["a reserve names every counter whose window is not open"], {
    decide(base, partition, request, now) {
      const decision = base(partition, request, now)
      const which = request.counters.flatMap((counter, index) => (this.fits(partition, counter, now) ? [] : [index]))
      return decision.status === "stale-window" && which.length > 0 ? { status: "exceeded", which } : decision
    },
  }),
  plant("time that runs backwards", ["time does not run backwards", "a clock that jumps two days ahead and back"], {
    now() {
      return this.clock()
    },
  }),
  plant("leases by the latest time", ["leases are measured by the clock alone"], {
    leaseEnd: (_base, leaseMs, now) => now + leaseMs,
  }),
  plant("leases that are due by the latest time", ["leases are measured by the clock alone"], {
    leaseHasEnded(_base, leaseEnd) {
      const times = [...this.state.values()].map(({ time }) => time ?? 0)
      return leaseEnd <= Math.max(this.clock(), ...times)
    },
  }),
  ...(["reserve", "settle", "expire", "adjust"] as const).map((member) =>
    memberPlant(
      `a time that ${member} does not write`,
      ["each admitted reserve, settle, expire and adjust"],
      member,
      async function (base, request) {
        const partition = this.partition(request.partition)
        const { time } = partition
        const reply = await base(request)
        partition.time = time
        return reply
      },
    ),
  ),
  ...(["denials write", "read writes"] as const).map((what) =>
    memberPlant(
      `a time that ${what}`,
      ["each admitted reserve, settle, expire and adjust"],
      what === "read writes" ? "read" : "reserve",
      async function (base, request) {
        const reply = await base(request)
        this.writeTime(this.partition(request.partition), reply.now)
        return reply
      },
    ),
  ),
  plant("a time that a restart forgets", ["a restart keeps the partition's latest time"], {
    writeTime(base, partition, now) {
      base(partition, now)
      hide(partition, "time")
    },
  }),
  plant("what is forgotten is deleted at once", ["a clock that jumps two days ahead and back"], {
    deletionMarginMs: () => 0,
  }),
  plant("a clock that cannot be accepted", ["a clock that jumps two days ahead and back"], {
    async acceptClock(_base, request) {
      return { now: this.clock(), before: this.now(request.partition) }
    },
  }),
  plant("a check that ignores the clock", ["a clock that jumps two days ahead and back"], {
    check: async (base, request) => ({ ...(await base(request)), clockBehindMs: 0 }),
  }),
  // ── Retention ──
  plant(
    "counters forgotten though something is reserved",
    ["a counter in which something is reserved", "a window that closes while a lease is open"],
    { counterIsOver: (_base, counter, now) => counter.forgetAt <= now },
  ),
  plant(
    "housekeeping that deletes counters in which something is reserved",
    ["a counter in which something is reserved"],
    {
      deleteForgotten(base, partition) {
        base(partition)
        const before = this.clock() - this.deletionMarginMs()
        for (const [name, { forgetAt }] of partition.counters) if (forgetAt <= before) partition.counters.delete(name)
      },
    },
  ),
  plant("held keys forgotten", ["a held key is never forgotten", "a window that closes while a lease is open"], {
    hold(base, partition, request, now) {
      base(partition, request, now)
      const forgetAt = now + request.leaseMs + this.capabilities.retentionMs
      partition.reservations.get(request.key)!.forgetAt = forgetAt
    },
    dueKeys(base, partition) {
      return base(partition).filter((key) => this.reservationAt(partition, key, this.clock()) !== undefined)
    },
  }),
  plant("keys forgotten at the end of the lease", ["a resolved key is known for the retention"], {
    resolvedUntil: (_base, leaseEnd) => leaseEnd,
    stateByEntry: () => undefined,
  }),
  plant(
    "keys forgotten while they may be charged again",
    ["a key that was settled early in a long lease", "a lost key that was recovered"],
    {
      resolvedUntil(_base, _leaseEnd, now) {
        return now + this.capabilities.retentionMs
      },
      stateByEntry: () => undefined,
    },
  ),
  plant("keys forgotten by their first lease", ["a key whose lease was extended"], () => {
    const firstEnds = new Map<string, number>()
    return {
      hold(base, partition, request, now) {
        base(partition, request, now)
        firstEnds.set(request.key, this.leaseEnd(request.leaseMs, now))
      },
      async settle(base, request) {
        const reply = await base(request)
        const reservation = this.partition(request.partition).reservations.get(request.key)
        const first = firstEnds.get(request.key)
        if (reservation && first !== undefined && "replayed" in reply && !reply.replayed)
          reservation.forgetAt = Math.max(first, reply.now) + this.capabilities.retentionMs
        return reply
      },
      stateByEntry: () => undefined,
    }
  }),
  plant("a release of an unknown key kept for a second", ["a released key that was unknown"], {
    settleUnknown(base, partition, request, now) {
      const reply = base(partition, request, now)
      if (reply.status === "released") partition.reservations.get(request.key)!.forgetAt = now + 1_000
      return reply
    },
    stateByEntry: () => undefined,
  }),
  plant("counters forgotten before the keys that name them", ["a counter is kept as long as any resolved key"], {
    change: (base, partition, ref, now, by) => base(partition, ref, now, by),
  }),
  plant("closed windows forgotten at their end", ["a closed window is kept for the retention"], {
    counterForgetAt: (base, ref, now) => ref.endsAt ?? base(ref, now),
    resolvedUntil: () => 0,
  }),
  plant("idle counters kept forever", ["a counter without a window is kept forever", "keepMs may be sixty days"], {
    counterForgetAt: (base, ref, now) => base({ ...ref, keepMs: null }, now),
  }),
  plant("endless counters forgotten after a month", ["a counter without a window is kept forever"], {
    counterForgetAt: (base, ref, now) => base({ ...ref, keepMs: ref.keepMs ?? 7 * DAY_MS }, now),
  }),
  plant("idle times in 32 bits", ["keepMs may be sixty days"], {
    counterForgetAt: (base, ref, now) => base({ ...ref, keepMs: ref.keepMs === null ? null : ref.keepMs | 0 }, now),
  }),
  plant("records that are never deleted", ["memory is bounded"], { deleteForgotten() {} }),
  plant("adjustments that are never deleted", ["memory is bounded"], {
    adjustmentForgetAt: () => Number.POSITIVE_INFINITY,
  }),
  plant("keys not known by their entries", ["a forgotten key is known by its usage entry"], {
    stateByEntry: () => undefined,
  }),
  plant(
    "keys known by recorded entries",
    ["a recorded entry does not make its key known", "record does nothing to a reservation's entry"],
    {
      stateByEntry(_base, partition, key, now) {
        return this.ledger.entryAt(partition, key, now) === undefined ? undefined : ("settled" as const)
      },
    },
  ),
]
