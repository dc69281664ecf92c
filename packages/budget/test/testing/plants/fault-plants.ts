import { StoreError } from "../../../src/store/store-error"
import type { ModelReservation } from "../../../src/testing/model-state"
import { connectionPlant, hide, meanwhile, plant } from "./plant"

const zeros = (names: string[]) => names.map((name) => ({ name, spent: 0, reserved: 0, granted: 0 }))

/** What goes wrong when something is broken. */
export const faultPlants = [
  connectionPlant(
    "admitting while the state cannot be reached",
    ["every member rejects with store-unavailable"],
    (right) => ({
      reserve: (request) =>
        right.reserve(request).catch(() => {
          const counters = zeros(request.counters.map(({ name }) => name))
          return { now: 0, due: false, counters, status: "ok", replayed: false, expiresAt: request.leaseMs }
        }),
    }),
  ),
  connectionPlant(
    "zeros while the state cannot be reached",
    ["every member rejects with store-unavailable"],
    (right) => ({
      read: (request) => right.read(request).catch(() => ({ now: 0, due: false, counters: zeros(request.counters) })),
    }),
  ),
  connectionPlant(
    "an empty ledger while the state cannot be reached",
    ["every member rejects with store-unavailable"],
    ({ ledger }) => ({ ledger: { ...ledger!, totals: (request) => ledger!.totals(request).catch(() => []) } }),
  ),
  connectionPlant(
    "a lost reply reported as not applied",
    ["a reserve whose reply is lost is applied once"],
    (right) => ({
      reserve: (request) =>
        right.reserve(request).catch((error) => {
          throw new StoreError(error.message, { code: "store-unavailable", applied: "no" })
        }),
    }),
  ),
  connectionPlant(
    "a lost settle sent again under another revision",
    ["a settle whose reply is lost is applied once"],
    (right, line) => ({
      settle: async (request) => {
        if (!line.losesNextReply) return right.settle(request)
        line.losesNextReply = false
        await right.settle(request)
        return right.settle(request)
      },
    }),
  ),
  plant("damage read as zero", ["a damaged counter is reported", "a damaged counter fails only"], {
    counterIsDamaged(base, partition, name) {
      if (base(partition, name)) partition.counters.delete(name)
      return false
    },
  }),
  plant("a reset that overwrites damage", ["a damaged counter is reported"], {
    async adjust(base, request) {
      const partition = this.partition(request.partition)
      if (request.kind === "reset" && this.counterIsDamaged(partition, request.counter.name))
        partition.counters.delete(request.counter.name)
      return base(request)
    },
  }),
  plant("a settle that writes the good half", ["a damaged counter is reported"], {
    async settle(base, request) {
      try {
        return await base(request)
      } catch (error) {
        const partition = this.partition(request.partition)
        for (const counter of request.counters)
          if (!this.counterIsDamaged(partition, counter.name))
            this.change(partition, counter, this.now(request.partition), { reserved: -counter.reserved })
        throw error
      }
    },
  }),
  plant("a list of counters that damage ends", ["a damaged counter is reported"], {
    async listCounters(base, request) {
      const page = await base(request)
      if (page.damaged.length === 0) return page
      throw new StoreError("Cannot read.", { code: "store-corrupt", applied: "no" })
    },
  }),
  plant("damage that fails every caller of a batch", ["a damaged counter fails only the callers"], () => {
    let failed = false
    return {
      async reserve(base, request) {
        try {
          return await base(request)
        } catch (error) {
          failed = true
          throw error
        } finally {
          await meanwhile(4)
          if (failed)
            await Promise.reject(new StoreError("The batch failed.", { code: "store-corrupt", applied: "no" }))
        }
      },
    }
  }),
  plant("a damaged reservation read as absent", ["a key whose record is damaged"], {
    reservationAt: (base, partition, key, now) => base(partition, key, now) ?? undefined,
  }),
  plant("a damaged lease that blocks the others", ["sixty-five damaged leases"], {
    async expire(base, request) {
      const reservation = this.partition(request.partition).reservations.get(request.key)
      if (reservation !== null) return base(request)
      throw new StoreError("Cannot read.", { code: "store-corrupt", applied: "no" })
    },
  }),
  plant("a damaged lease that stays due", ["sixty-five damaged leases", "a lease that is set aside"], {
    setAside() {},
  }),
  plant("a damaged lease that is dropped", ["sixty-five damaged leases", "a lease that is set aside"], {
    setAside(_base, partition, key) {
      partition.leases.delete(key)
      partition.reservations.delete(key)
    },
  }),
  plant("a lease that is expired in the counters that can be read", ["a lease whose counter is damaged"], {
    setAside(base, partition, key) {
      base(partition, key)
      for (const share of partition.reservations.get(key)?.shares ?? [])
        if (!this.counterIsDamaged(partition, share.name))
          this.change(partition, share, this.clock(), { reserved: -share.amount })
    },
  }),
  plant("one list of damage for every partition", ["damage in one partition does not reach another"], {
    counterIsDamaged(base, _partition, name) {
      return [...this.state.values()].some((partition) => base(partition, name))
    },
  }),
  // ── State that a restart loses ──
  plant("extends that a restart forgets", ["a restart keeps extended leases"], {
    async extend(base, request) {
      const reservation = this.partition(request.partition).reservations.get(request.key)
      const stored = reservation?.leaseEnd
      const reply = await base(request)
      if (reply.status === "held") Object.assign(reservation!, { stored })
      return reply
    },
    decideExisting(base, reservation, request) {
      const { stored, ...rest } = reservation as ModelReservation & { stored?: number }
      return base({ ...rest, leaseEnd: stored ?? reservation.leaseEnd }, request)
    },
  }),
  plant("revisions that a restart forgets", ["a restart keeps extended leases"], {
    resolve(base, ...request) {
      const reply = base(...request)
      hide(request[0].reservations.get(request[1].key)!, "revision")
      return reply
    },
    reservationAt(base, partition, key, now) {
      const reservation = base(partition, key, now)
      return reservation && reservation.revision === undefined ? { ...reservation, revision: 0 } : reservation
    },
  }),
  plant("pending entries that a restart forgets", ["a lease that ended while the store was closed becomes"], {
    hold(base, partition, request, now) {
      base(partition, request, now)
      hide(partition.reservations.get(request.key)!, "pendingEntry")
    },
    expireHeld: (base, partition, key, reservation, now) =>
      base(partition, key, { ...reservation, pendingEntry: reservation.pendingEntry ?? null }, now),
  }),
  plant("peaks that a restart forgets", ["a restart loses nothing that was confirmed"], {
    change(base, ...request) {
      const change = base(...request)
      hide(request[0].counters.get(request[1].name)!, "peak")
      return change
    },
    counterAt(base, partition, name, now) {
      const counter = base(partition, name, now)
      return counter && counter.peak === undefined ? { ...counter, peak: 0 } : counter
    },
  }),
]
