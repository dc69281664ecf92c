import type { SettleReply, SettleRequest } from "../../../src/store/budget-store"
import { ModelStore } from "../../../src/testing/model"
import { type EntryOrigin, ModelLedger } from "../../../src/testing/model-ledger"
import type { ModelPartition } from "../../../src/testing/model-state"
import type { StoredEntry, UsageEntry, UsageFilter } from "../../../src/usage/entry"
import type { UsageLedger, UsageTotals } from "../../../src/usage/ledger"
import { ledgerPlant, meanwhile, type Plant, plant } from "./plant"

type Write = Parameters<ModelLedger["write"]>
type RequestOf<Member extends keyof UsageLedger> = Parameters<UsageLedger[Member]>[0]

/** A ledger that changes what is written. */
const withWrite = (change: (entry: UsageEntry, origin: EntryOrigin) => [UsageEntry, EntryOrigin]) =>
  class extends ModelLedger {
    override write(...[partition, key, entry, origin, now]: Write): void {
      super.write(partition, key, ...change(entry, origin), now)
    }
  }

/** A ledger that compares one field in its own way. */
const withMatch = (
  field: "userId" | "clientId" | "requestId" | "model",
  same: (value: string, wanted: string) => boolean,
) =>
  class extends ModelLedger {
    protected override matches(entry: StoredEntry, filter: UsageFilter): boolean {
      const { [field]: wanted, ...rest } = filter
      const value = entry[field]
      if (wanted === undefined) return super.matches(entry, rest)
      return value !== undefined && same(value, wanted) && super.matches(entry, rest)
    }
  }

/** A ledger whose totals ignore something of the request. */
const withTotals = (change: (request: RequestOf<"totals">) => RequestOf<"totals">) =>
  class extends ModelLedger {
    override async totals(request: RequestOf<"totals">) {
      return super.totals(change(request))
    }
  }

/** A ledger that adds up in its own way. */
const withSums = (change: (row: UsageTotals, entries: readonly StoredEntry[]) => UsageTotals) =>
  class extends ModelLedger {
    protected override totalsOf(group: UsageTotals["group"], entries: readonly StoredEntry[]): UsageTotals {
      return change(super.totalsOf(group, entries), entries)
    }
  }

/** What goes wrong in the ledger, or between it and the money. */
export const ledgerPlants: Plant[] = [
  plant(
    "money without its entry",
    ["settle writes the entry with the money", "for every counter, spent is the sum"],
    class extends ModelStore {
      protected override writeEntry(...[partition, request, shares, now]: Parameters<ModelStore["writeEntry"]>): void {
        if (request.key.length % 2 === 1) super.writeEntry(partition, request, shares, now)
      }
    },
  ),
  plant(
    "an entry written after the money",
    ["money and entry are one step"],
    class extends ModelStore {
      #later: (() => void)[] = []

      protected override writeEntry(...request: Parameters<ModelStore["writeEntry"]>): void {
        this.#later.push(() => super.writeEntry(...request))
      }

      override async settle(request: SettleRequest): Promise<SettleReply> {
        const reply = await super.settle(request)
        const writes = this.#later
        this.#later = []
        await meanwhile(40)
        for (const write of writes) write()
        return reply
      }
    },
  ),
  plant(
    "an entry written before the money",
    ["money and entry are one step"],
    class extends ModelStore {
      override async settle(request: SettleRequest): Promise<SettleReply> {
        const partition = this.partition(request.partition)
        const known = partition.reservations.get(request.key)
        if (known?.state === "held" && known.fingerprint === request.fingerprint) {
          const shares = known.shares.map((share) => ({ ...share, charge: this.amountOf(request, share.name) }))
          this.writeEntry(partition, request, shares, this.now(request.partition))
          await meanwhile(40)
        }
        return super.settle(request)
      }
    },
  ),
  plant(
    "releases without an entry",
    ["a reservation has no entry while it is held", "a settle of a lost key and a release"],
    class extends ModelStore {
      protected override writeEntry(...[partition, request, shares, now]: Parameters<ModelStore["writeEntry"]>): void {
        if (request.outcome === "settled") super.writeEntry(partition, request, shares, now)
      }
    },
  ),
  plant(
    "an entry while the key is held",
    ["a reservation has no entry while it is held"],
    class extends ModelStore {
      protected override hold(...[partition, request, now]: Parameters<ModelStore["hold"]>): void {
        super.hold(partition, request, now)
        this.ledger.write(
          partition,
          request.key,
          request.pendingEntry,
          { state: "expired", revision: 0, charges: {} },
          now,
        )
      }

      protected override stateByEntry(): undefined {
        return undefined
      }
    },
  ),
  plant(
    "expiry without an entry",
    ["an expired lease becomes its pending entry", "a reservation has no entry while it is held"],
    class extends ModelStore {
      protected override writeExpired(): void {}
    },
  ),
  plant(
    "expiry of a reservation without counters without an entry",
    ["an expired lease becomes its pending entry"],
    class extends ModelStore {
      protected override writeExpired(...request: Parameters<ModelStore["writeExpired"]>): void {
        if (request[3].length > 0) super.writeExpired(...request)
      }
    },
  ),
  plant(
    "an expired entry at the whole bound",
    ["an expired lease becomes its pending entry"],
    class extends ModelStore {
      protected override writeExpired(
        ...[partition, key, entry, shares, now]: Parameters<ModelStore["writeExpired"]>
      ): void {
        super.writeExpired(partition, key, { ...entry, costNanoUsd: entry.reservedNanoUsd }, shares, now)
      }
    },
  ),
  plant(
    "an expiry dated to the end of the lease",
    ["an expired lease becomes its pending entry"],
    class extends ModelStore {
      protected override expireHeld(...[partition, key, known, now]: Parameters<ModelStore["expireHeld"]>) {
        const expired = super.expireHeld(partition, key, known, now)
        partition.entries.get(key)!.at = known.leaseEnd
        return expired
      }
    },
  ),
  plant(
    "an expired entry without its charges",
    ["an expired lease becomes its pending entry", "for every counter, spent is the sum"],
    class extends ModelStore {
      protected override writeExpired(...[partition, key, entry, , now]: Parameters<ModelStore["writeExpired"]>): void {
        super.writeExpired(partition, key, entry, [], now)
      }
    },
  ),
  plant(
    "a replay that writes its entry",
    ["a replayed settle writes no second entry"],
    class extends ModelStore {
      protected override replay(...[partition, request, now, status]: Parameters<ModelStore["replay"]>): SettleReply {
        const known = partition.reservations.get(request.key)
        if (known) this.writeEntry(partition, request, known.shares, now)
        return super.replay(partition, request, now, status)
      }
    },
  ),
  plant(
    "a mismatch that writes its entry",
    ["a settle that is a mismatch, forgotten"],
    class extends ModelStore {
      override async settle(request: SettleRequest): Promise<SettleReply> {
        const reply = await super.settle(request)
        if (reply.status === "mismatch") this.writeEntry(this.partition(request.partition), request, [], reply.now)
        return reply
      }
    },
  ),
  plant(
    "other counters that write their entry",
    ["a settle that is a mismatch, forgotten"],
    class extends ModelStore {
      override async settle(request: SettleRequest): Promise<SettleReply> {
        const reply = await super.settle(request)
        if (reply.status === "other-counters")
          this.writeEntry(this.partition(request.partition), request, [], reply.now)
        return reply
      }
    },
  ),
  ledgerPlant(
    "a later write that moves the time",
    ["a late settle overwrites the expired entry", "a later settle replaces the whole entry"],
    class extends ModelLedger {
      override write(...[partition, key, entry, origin, now]: Write): void {
        partition.entries.delete(key)
        super.write(partition, key, entry, origin, now)
      }
    },
  ),
  ledgerPlant(
    "an entry per revision",
    ["a replayed settle writes no second entry"],
    class extends ModelLedger {
      override write(...[partition, key, entry, origin, now]: Write): void {
        super.write(partition, origin.revision > 0 ? `${key}.${origin.revision}` : key, entry, origin, now)
      }
    },
  ),
  ledgerPlant(
    "a later entry merged into the first",
    ["a later settle replaces the whole entry"],
    class extends ModelLedger {
      override write(...[partition, key, entry, origin, now]: Write): void {
        super.write(partition, key, { ...partition.entries.get(key), ...entry }, origin, now)
      }
    },
  ),
  ledgerPlant(
    "charges in an object with a prototype",
    ["counters named like properties of objects"],
    withWrite((entry, origin) => {
      const charges: Record<string, number> = {}
      for (const [name, amount] of Object.entries(origin.charges)) charges[name] = amount
      return [entry, { ...origin, charges }]
    }),
  ),
  {
    ...ledgerPlant(
      "the ledger's own entries given away",
      ["a reply is the caller's"],
      class extends ModelLedger {
        override async list(request: RequestOf<"list">) {
          const page = await super.list(request)
          const { entries } = this.partition(request.partition)
          return { ...page, entries: page.entries.map(({ idempotencyKey }) => entries.get(idempotencyKey)!) }
        }
      },
    ),
    connect: (store) => store,
  },
  // ── Record ──
  ledgerPlant(
    "record that overwrites",
    ["record writes an entry without money", "record does nothing to a reservation's entry"],
    class extends ModelLedger {
      override async record(request: RequestOf<"record">) {
        this.partition(request.partition).entries.delete(request.key)
        return super.record(request)
      }
    },
  ),
  ledgerPlant(
    "record that does not count",
    ["record writes an entry without money", "records of one key from many callers"],
    class extends ModelLedger {
      protected override countAfter(count: number): number {
        return count
      }
    },
  ),
  ledgerPlant(
    "record that counts one at a time",
    ["record writes an entry without money"],
    class extends ModelLedger {
      protected override countAfter(count: number): number {
        return count + 1
      }
    },
  ),
  ledgerPlant(
    "record that counts what it read before",
    ["records of one key from many callers"],
    class extends ModelLedger {
      override async record(request: RequestOf<"record">) {
        const { entries } = this.partition(request.partition)
        const before = entries.get(request.key)
        const count = before === undefined ? 0 : (before.count ?? 1)
        await meanwhile(4)
        const reply = await super.record(request)
        entries.get(request.key)!.count = count + (request.entry.count ?? 1)
        return reply
      }
    },
  ),
  ledgerPlant(
    "a recorded entry that stays under its key",
    ["record does nothing to a reservation's entry", "a recorded entry does not make its key known"],
    class extends ModelLedger {
      override write(...[partition, key, entry, origin, now]: Write): void {
        if (partition.entries.get(key)?.state !== "recorded") super.write(partition, key, entry, origin, now)
      }
    },
  ),
  ledgerPlant(
    "a recorded count that outlives a settle",
    ["record does nothing to a reservation's entry"],
    class extends ModelLedger {
      override write(...[partition, key, entry, origin, now]: Write): void {
        const count = partition.entries.get(key)?.count ?? (partition.entries.has(key) ? 1 : undefined)
        super.write(partition, key, { ...entry, ...(count !== undefined && { count }) }, origin, now)
      }
    },
  ),
  // ── Pages ──
  ledgerPlant(
    "pages by offset",
    ["pages are stable under writes"],
    class extends ModelLedger {
      override async list(request: RequestOf<"list">) {
        const offset = Number(request.cursor ?? 0)
        const sorted = this.sorted(request.partition, request.filter)
        if (request.newestFirst) sorted.reverse()
        const entries = sorted.slice(offset, offset + request.limit)
        const cursor = offset + request.limit < sorted.length ? String(offset + request.limit) : null
        return { entries, cursor, dropped: 0 }
      }
    },
  ),
  ledgerPlant(
    "pages by time alone",
    ["the order is (at, key)"],
    class extends ModelLedger {
      protected override after(sorted: StoredEntry[], cursor: string | null, newestFirst: boolean): StoredEntry[] {
        const at = Number(cursor?.split("~")[0])
        return cursor === null ? sorted : sorted.filter((entry) => (newestFirst ? entry.at < at : entry.at > at))
      }
    },
  ),
  ledgerPlant(
    "a cursor that makes no sense taken for the beginning",
    ["a cursor that no page returned"],
    class extends ModelLedger {
      override async list(request: RequestOf<"list">) {
        return super.list({ ...request, cursor: /^\d+~/.test(request.cursor ?? "") ? request.cursor : null })
      }
    },
  ),
  ledgerPlant(
    "pages that skip what was settled meanwhile",
    ["pages are stable under writes"],
    class extends ModelLedger {
      #revisions = 0

      override write(...request: Write): void {
        super.write(...request)
        if (request[3].revision > 0) this.#revisions++
      }

      protected override sorted(partition: string, filter: UsageFilter): StoredEntry[] {
        return super.sorted(partition, filter).filter(({ revision }) => this.#revisions < 3 || revision === 0)
      }
    },
  ),
  ledgerPlant(
    "newest first, whatever the range",
    ["filters hold for totals as for pages"],
    class extends ModelLedger {
      override async list(request: RequestOf<"list">) {
        const { from: _from, to: _to, ...filter } = request.filter
        return super.list(request.newestFirst ? { ...request, filter } : request)
      }
    },
  ),
  ledgerPlant(
    "attempts in the order of text",
    ["the attempts of a request come in the order of their numbers"],
    class extends ModelLedger {
      override async get(request: RequestOf<"get">): Promise<StoredEntry[]> {
        const attempts = await super.get(request)
        return attempts.sort((a, b) => (String(a.attempt) < String(b.attempt) ? -1 : 1))
      }
    },
  ),
  plant(
    "requests of every partition",
    ["partitions have ledgers of their own"],
    class extends ModelStore {
      protected override createLedger(retentionMs: number): ModelLedger {
        const { state } = this
        class Ledger extends ModelLedger {
          override async get(request: RequestOf<"get">): Promise<StoredEntry[]> {
            return (
              await Promise.all([...state.keys()].map((partition) => super.get({ ...request, partition })))
            ).flat()
          }
        }
        return new Ledger(
          (name) => this.partition(name),
          (name) => this.now(name),
          retentionMs,
        )
      }
    },
  ),
  // ── Filters ──
  ledgerPlant(
    "clients without case",
    ["any string in an entry is returned"],
    withMatch("clientId", (value, wanted) => value.toLowerCase() === wanted.toLowerCase()),
  ),
  ledgerPlant(
    "texts normalised",
    ["any string in an entry is returned"],
    withMatch("userId", (value, wanted) => value.normalize() === wanted.normalize()),
  ),
  ledgerPlant(
    "spaces at the end ignored",
    ["any string in an entry is returned", "every filter matches exactly"],
    withMatch("userId", (value, wanted) => value.trimEnd() === wanted.trimEnd()),
  ),
  ledgerPlant(
    "texts compared to 255 characters",
    ["any string in an entry is returned"],
    withMatch("userId", (value, wanted) => value.slice(0, 255) === wanted.slice(0, 255)),
  ),
  ledgerPlant(
    "texts compared to the first NUL",
    ["any string in an entry is returned"],
    withMatch("model", (value, wanted) => value.split("\0")[0] === wanted.split("\0")[0]),
  ),
  ledgerPlant(
    "texts compared as UTF-8",
    ["any string in an entry is returned"],
    withMatch("model", (value, wanted) => Buffer.from(value).equals(Buffer.from(wanted))),
  ),
  ledgerPlant(
    "users by prefix",
    ["every filter matches exactly"],
    withMatch("userId", (value, wanted) => value.startsWith(wanted)),
  ),
  ledgerPlant(
    "request ids without case",
    ["request ids that differ in case"],
    withMatch("requestId", (value, wanted) => value.toLowerCase() === wanted.toLowerCase()),
  ),
  ledgerPlant(
    "texts stored as UTF-8",
    ["any string in an entry is returned", "settle writes the entry with the money"],
    withWrite((entry, origin) => [
      JSON.parse(Buffer.from(JSON.stringify(entry).replaceAll("\\ud800", "\\ufffd")).toString()),
      origin,
    ]),
  ),
  ledgerPlant(
    "prompts cut at 65,535 characters",
    ["prompt and answer of 64 KiB"],
    withWrite((entry, origin) => [
      entry.prompt === undefined ? entry : { ...entry, prompt: entry.prompt.slice(0, 65_535) },
      origin,
    ]),
  ),
  ledgerPlant(
    "an index of the first entry",
    ["a later settle replaces the whole entry"],
    class extends ModelLedger {
      readonly #models = new Map<string, string>()

      override write(...request: Write): void {
        super.write(...request)
        if (!this.#models.has(request[1])) this.#models.set(request[1], request[2].model)
      }

      protected override matches(entry: StoredEntry, { model, ...rest }: UsageFilter): boolean {
        const same = model === undefined || this.#models.get(entry.idempotencyKey) === model
        return same && super.matches(entry, rest)
      }
    },
  ),
  // ── Totals ──
  ledgerPlant(
    "totals of the first entry",
    ["totals follow the latest settle"],
    class extends ModelLedger {
      readonly #first = new Map<string, StoredEntry>()

      override write(...request: Write): void {
        super.write(...request)
        const stored = request[0].entries.get(request[1])!
        if (!this.#first.has(request[1])) this.#first.set(request[1], structuredClone(stored))
      }

      protected override totalsOf(group: UsageTotals["group"], entries: readonly StoredEntry[]): UsageTotals {
        return super.totalsOf(
          group,
          entries.map((entry) => this.#first.get(entry.idempotencyKey) ?? entry),
        )
      }
    },
  ),
  ledgerPlant(
    "totals in fourteen digits",
    ["large sums are exact"],
    withSums((row) => ({ ...row, costNanoUsd: Number(row.costNanoUsd.toPrecision(14)) })),
  ),
  ledgerPlant(
    "sums in single precision",
    ["sums stop at the largest number"],
    withSums((row) => ({ ...row, differenceNanoUsd: Math.fround(row.differenceNanoUsd) })),
  ),
  ledgerPlant(
    "no count of entries in doubt",
    ["totals add everything up", "totals follow the latest settle"],
    withSums((row) => ({ ...row, inDoubt: 0 })),
  ),
  ledgerPlant(
    "the reserved amount as the amount in doubt",
    ["totals add everything up"],
    withSums((row, entries) => {
      const doubtful = entries.filter(({ inDoubt }) => inDoubt)
      return { ...row, inDoubtNanoUsd: doubtful.reduce((sum, entry) => sum + entry.reservedNanoUsd, 0) }
    }),
  ),
  ledgerPlant(
    "denials counted once",
    ["totals add everything up"],
    withSums((row, entries) => ({ ...row, denied: entries.filter(({ status }) => status === "denied").length })),
  ),
  ledgerPlant(
    "requests of denials counted once",
    ["totals add everything up"],
    withSums((row, entries) => ({ ...row, requests: new Set(entries.map(({ requestId }) => requestId)).size })),
  ),
  ledgerPlant(
    "requests counted as attempts",
    ["a request of several attempts"],
    withSums((row) => (row.group.length === 0 ? row : { ...row, requests: row.attempts })),
  ),
  ledgerPlant(
    "audits in totals",
    ["audit entries are listed and left out"],
    class extends ModelLedger {
      override async totals(request: RequestOf<"totals">) {
        const entries = this.sorted(request.partition, request.filter)
        return request.groupBy.length > 0 || entries.length === 0 ? super.totals(request) : [this.totalsOf([], entries)]
      }
    },
  ),
  ledgerPlant(
    "totals that ignore the tag",
    ["filters hold for totals as for pages"],
    withTotals(({ filter: { tag: _tag, ...filter }, ...request }) => ({ ...request, filter })),
  ),
  ledgerPlant(
    "totals that ignore client and provider",
    ["filters hold for totals as for pages"],
    withTotals(({ filter: { clientId: _client, provider: _provider, ...filter }, ...request }) => ({
      ...request,
      filter,
    })),
  ),
  ledgerPlant(
    "totals to the end, inclusive",
    ["from is inclusive and to is exclusive"],
    withTotals(({ filter, ...request }) => ({
      ...request,
      filter: { ...filter, ...(filter.to !== undefined && { to: filter.to + 1 }) },
    })),
  ),
  ledgerPlant(
    "days of 24 hours",
    ["time buckets are the caller's"],
    withTotals((request) => ({
      ...request,
      buckets: request.buckets?.map((_, index) => request.buckets![0]! + index * 86_400_000) ?? null,
    })),
  ),
  ledgerPlant(
    "buckets always first",
    ["time buckets are the caller's"],
    class extends ModelLedger {
      override async totals(request: RequestOf<"totals">) {
        const groupBy = [...request.groupBy].sort((by) => (by === "bucket" ? -1 : 0))
        return super.totals({ ...request, groupBy })
      }
    },
  ),
  ledgerPlant(
    "totals that read part by part",
    ["totals during writes are of whole entries"],
    class extends ModelLedger {
      override async totals(request: RequestOf<"totals">) {
        const before = await super.totals(request)
        await meanwhile(100)
        const after = await super.totals(request)
        return before.map((row, index) => ({ ...row, costNanoUsd: after[index]!.costNanoUsd }))
      }
    },
  ),
  // ── What leaves ──
  ledgerPlant(
    "prune that takes one more",
    ["prune removes older entries"],
    class extends ModelLedger {
      override async prune(request: RequestOf<"prune">) {
        return super.prune({ ...request, before: request.before + 1 })
      }
    },
  ),
  ledgerPlant(
    "prune that stops after one step",
    ["three thousand entries in order"],
    class extends ModelLedger {
      override async prune(request: RequestOf<"prune">) {
        const partition = this.partition(request.partition)
        const old = this.sorted(request.partition, { to: request.before }).slice(0, 1_000)
        for (const entry of old) partition.entries.delete(entry.idempotencyKey)
        return { removed: old.length }
      }
    },
  ),
  plant(
    "prune that takes the charges back",
    ["prune removes older entries"],
    class extends ModelStore {
      protected override createLedger(retentionMs: number): ModelLedger {
        const takeBack = (partition: ModelPartition, { charges }: StoredEntry) => {
          for (const [name, amount] of Object.entries(charges)) partition.counters.get(name)!.spent -= amount
        }
        class Ledger extends ModelLedger {
          override async prune(request: RequestOf<"prune">) {
            for (const entry of this.sorted(request.partition, { to: request.before }))
              takeBack(this.partition(request.partition), entry)
            return super.prune(request)
          }
        }
        return new Ledger(
          (name) => this.partition(name),
          (name) => this.now(name),
          retentionMs,
        )
      }
    },
  ),
  plant(
    "prune of every partition whose name begins alike",
    ["partitions have ledgers of their own"],
    class extends ModelStore {
      protected override createLedger(retentionMs: number): ModelLedger {
        const { state } = this
        class Ledger extends ModelLedger {
          override async prune(request: RequestOf<"prune">) {
            for (const partition of state.keys())
              if (partition !== request.partition && partition.startsWith(request.partition))
                await super.prune({ ...request, partition })
            return super.prune(request)
          }
        }
        return new Ledger(
          (name) => this.partition(name),
          (name) => this.now(name),
          retentionMs,
        )
      }
    },
  ),
  ledgerPlant(
    "entries kept for ever",
    ["the ledger's retention removes entries"],
    class extends ModelLedger {
      override entryAt(partition: ModelPartition, key: string): StoredEntry | undefined {
        return partition.entries.get(key)
      }
    },
  ),
]
