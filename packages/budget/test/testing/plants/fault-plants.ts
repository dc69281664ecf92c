import type {
  ExpireReply,
  ExpireRequest,
  ExtendReply,
  ExtendRequest,
  ReserveRequest,
} from "../../../src/store/budget-store"
import { StoreError } from "../../../src/store/store-error"
import { ModelStore } from "../../../src/testing/model"
import type { ModelCounter, ModelPartition, ModelReservation } from "../../../src/testing/model-state"
import { connectThroughLine } from "../model-target"
import { connectionPlant, meanwhile, plant } from "./plant"

/** Hides a property from a copy of the state, which is what a restart makes. */
function hide(record: object, property: string): void {
  const value = (record as Record<string, unknown>)[property]
  Object.defineProperty(record, property, { value, enumerable: false, configurable: true, writable: true })
}

/** What goes wrong when something is broken. */
export const faultPlants = [
  connectionPlant(
    "admitting while the state cannot be reached",
    ["every member rejects with store-unavailable"],
    (store, line) => {
      const right = connectThroughLine(store, line)
      return {
        ...right,
        reserve: async (request) => {
          try {
            return await right.reserve(request)
          } catch {
            const counters = request.counters.map(({ name }) => ({ name, spent: 0, reserved: 0, granted: 0 }))
            return { now: 0, due: false, counters, status: "ok", replayed: false, expiresAt: request.leaseMs }
          }
        },
      }
    },
  ),
  connectionPlant(
    "zeros while the state cannot be reached",
    ["every member rejects with store-unavailable"],
    (store, line) => {
      const right = connectThroughLine(store, line)
      const zeros = (names: string[]) => names.map((name) => ({ name, spent: 0, reserved: 0, granted: 0 }))
      return {
        ...right,
        read: async (request) =>
          right.read(request).catch(() => ({ now: 0, due: false, counters: zeros(request.counters) })),
      }
    },
  ),
  connectionPlant(
    "an empty ledger while the state cannot be reached",
    ["every member rejects with store-unavailable"],
    (store, line) => {
      const right = connectThroughLine(store, line)
      return {
        ...right,
        ledger: { ...right.ledger!, totals: async (request) => right.ledger!.totals(request).catch(() => []) },
      }
    },
  ),
  connectionPlant(
    "a lost answer reported as not applied",
    ["a reserve whose reply is lost is applied once"],
    (store, line) => {
      const right = connectThroughLine(store, line)
      return {
        ...right,
        reserve: (request) =>
          right.reserve(request).catch((error) => {
            throw new StoreError(error.message, { code: "store-unavailable", applied: "no" })
          }),
      }
    },
  ),
  connectionPlant(
    "a lost settle sent again under another revision",
    ["a settle whose reply is lost is applied once"],
    (store, line) => {
      const right = connectThroughLine(store, line)
      return {
        ...right,
        settle: async (request) => {
          if (!line.losesNextAnswer) return right.settle(request)
          line.losesNextAnswer = false
          await right.settle(request)
          return right.settle(request)
        },
      }
    },
  ),
  plant(
    "damage read as zero",
    ["a damaged counter is reported", "a damaged counter fails only"],
    class extends ModelStore {
      protected override counterIsDamaged(partition: ModelPartition, name: string): boolean {
        if (super.counterIsDamaged(partition, name)) partition.counters.delete(name)
        return false
      }
    },
  ),
  plant(
    "a reset that overwrites damage",
    ["a damaged counter is reported"],
    class extends ModelStore {
      override async adjust(request: Parameters<ModelStore["adjust"]>[0]) {
        const partition = this.partition(request.partition)
        if (request.kind === "reset" && super.counterIsDamaged(partition, request.counter.name))
          partition.counters.delete(request.counter.name)
        return super.adjust(request)
      }
    },
  ),
  plant(
    "a settle that writes the good half",
    ["a damaged counter is reported"],
    class extends ModelStore {
      override async settle(request: Parameters<ModelStore["settle"]>[0]) {
        try {
          return await super.settle(request)
        } catch (error) {
          const partition = this.partition(request.partition)
          for (const counter of request.counters)
            if (!this.counterIsDamaged(partition, counter.name))
              this.change(partition, counter, this.now(request.partition), { reserved: -counter.reserved })
          throw error
        }
      }
    },
  ),
  plant(
    "a list of counters that damage ends",
    ["a damaged counter is reported"],
    class extends ModelStore {
      override async listCounters(request: Parameters<ModelStore["listCounters"]>[0]) {
        const page = await super.listCounters(request)
        if (page.damaged.length === 0) return page
        throw new StoreError("Cannot read.", { code: "store-corrupt", applied: "no" })
      }
    },
  ),
  plant(
    "damage that fails every caller of a batch",
    ["a damaged counter fails only the callers"],
    class extends ModelStore {
      #failed = false

      override async reserve(request: ReserveRequest) {
        try {
          return await super.reserve(request)
        } catch (error) {
          this.#failed = true
          throw error
        } finally {
          await meanwhile(4)
          if (this.#failed)
            await Promise.reject(new StoreError("The batch failed.", { code: "store-corrupt", applied: "no" }))
        }
      }
    },
  ),
  plant(
    "a damaged reservation read as absent",
    ["a key whose record is damaged"],
    class extends ModelStore {
      protected override reservationAt(partition: ModelPartition, key: string, now: number) {
        return super.reservationAt(partition, key, now) ?? undefined
      }
    },
  ),
  plant(
    "a damaged lease that blocks the others",
    ["sixty-five damaged leases"],
    class extends ModelStore {
      override async expire(request: ExpireRequest): Promise<ExpireReply> {
        const known = this.partition(request.partition).reservations.get(request.key)
        if (known !== null) return super.expire(request)
        throw new StoreError("Cannot read.", { code: "store-corrupt", applied: "no" })
      }
    },
  ),
  plant(
    "a damaged lease that stays due",
    ["sixty-five damaged leases", "a lease that is set aside"],
    class extends ModelStore {
      protected override setAside(): void {}
    },
  ),
  plant(
    "a damaged lease that is dropped",
    ["sixty-five damaged leases", "a lease that is set aside"],
    class extends ModelStore {
      protected override setAside(partition: ModelPartition, key: string): void {
        partition.leases.delete(key)
        partition.reservations.delete(key)
      }
    },
  ),
  plant(
    "a lease that is expired in the counters that can be read",
    ["a lease whose counter is damaged"],
    class extends ModelStore {
      protected override setAside(partition: ModelPartition, key: string): void {
        super.setAside(partition, key)
        for (const share of partition.reservations.get(key)?.shares ?? [])
          if (!this.counterIsDamaged(partition, share.name))
            this.change(partition, share, this.clock(), { reserved: -share.amount })
      }
    },
  ),
  plant(
    "one list of damage for every partition",
    ["damage in one partition does not reach another"],
    class extends ModelStore {
      protected override counterIsDamaged(_partition: ModelPartition, name: string): boolean {
        return [...this.state.values()].some((partition) => super.counterIsDamaged(partition, name))
      }
    },
  ),
  // ── What a restart forgets ──
  plant(
    "extends that a restart forgets",
    ["a restart keeps extended leases"],
    class extends ModelStore {
      override async extend(request: ExtendRequest): Promise<ExtendReply> {
        const known = this.partition(request.partition).reservations.get(request.key)
        const stored = known?.leaseEnd
        const reply = await super.extend(request)
        if (reply.status === "held") Object.assign(known!, { stored })
        return reply
      }

      protected override decideKnown(known: ModelReservation, request: ReserveRequest) {
        const { stored, ...rest } = known as ModelReservation & { stored?: number }
        return super.decideKnown({ ...rest, leaseEnd: stored ?? known.leaseEnd }, request)
      }
    },
  ),
  plant(
    "revisions that a restart forgets",
    ["a restart keeps extended leases"],
    class extends ModelStore {
      protected override resolve(...request: Parameters<ModelStore["resolve"]>) {
        const reply = super.resolve(...request)
        hide(request[0].reservations.get(request[1].key)!, "revision")
        return reply
      }

      protected override reservationAt(...[partition, key, now]: Parameters<ModelStore["reservationAt"]>) {
        const known = super.reservationAt(partition, key, now)
        return known && known.revision === undefined ? { ...known, revision: 0 } : known
      }
    },
  ),
  plant(
    "pending entries that a restart forgets",
    ["a lease that ended while the store was closed becomes"],
    class extends ModelStore {
      protected override hold(...[partition, request, now]: Parameters<ModelStore["hold"]>): void {
        super.hold(partition, request, now)
        hide(partition.reservations.get(request.key)!, "pendingEntry")
      }

      protected override expireHeld(...[partition, key, known, now]: Parameters<ModelStore["expireHeld"]>) {
        return super.expireHeld(partition, key, { ...known, pendingEntry: known.pendingEntry ?? null }, now)
      }
    },
  ),
  plant(
    "peaks that a restart forgets",
    ["a restart loses nothing that was confirmed"],
    class extends ModelStore {
      protected override change(...request: Parameters<ModelStore["change"]>) {
        const change = super.change(...request)
        hide(request[0].counters.get(request[1].name)!, "peak")
        return change
      }

      protected override counterAt(
        ...[partition, name, now]: Parameters<ModelStore["counterAt"]>
      ): ModelCounter | undefined {
        const counter = super.counterAt(partition, name, now)
        return counter && counter.peak === undefined ? { ...counter, peak: 0 } : counter
      }
    },
  ),
]
