import type { EntryOrigin, ModelLedger } from "../../../src/testing/model-ledger"
import type { StoredEntry, UsageEntry } from "../../../src/usage/entry"
import type { UsageLedger, UsageTotals } from "../../../src/usage/ledger"
import { type Change, ledgerPlant, meanwhile, type Plant, plant } from "./plant"

type RequestOf<Member extends keyof UsageLedger> = Parameters<UsageLedger[Member]>[0]
type LedgerChange = Change<ModelLedger>

/** Changes what is written. */
const withWrite = (change: (entry: UsageEntry, origin: EntryOrigin) => [UsageEntry, EntryOrigin]): LedgerChange => ({
  write: (base, partition, key, entry, origin, now) => base(partition, key, ...change(entry, origin), now),
})

/** Compares one field in its own way. */
const withMatch = (
  field: "userId" | "clientId" | "requestId" | "model",
  same: (value: string, wanted: string) => boolean,
): LedgerChange => ({
  matches(base, entry, filter) {
    const { [field]: wanted, ...rest } = filter
    const value = entry[field]
    if (wanted === undefined) return base(entry, rest)
    return value !== undefined && same(value, wanted) && base(entry, rest)
  },
})

/** Ignores a field of the request of totals. */
const withTotals = (change: (request: RequestOf<"totals">) => RequestOf<"totals">): LedgerChange => ({
  totals: (base, request) => base(change(request)),
})

/** Adds up in its own way. */
const withSums = (change: (row: UsageTotals, entries: readonly StoredEntry[]) => UsageTotals): LedgerChange => ({
  totalsOf: (base, group, entries) => change(base(group, entries), entries),
})

/** What goes wrong in the ledger, or between it and the money. */
export const ledgerPlants: Plant[] = [
  plant("money without its entry", ["settle writes the entry with the money", "for every counter, spent is the sum"], {
    writeEntry(base, partition, request, shares, now) {
      if (request.key.length % 2 === 1) base(partition, request, shares, now)
    },
  }),
  plant("an entry written after the money", ["money and entry are one step"], () => {
    let later: (() => void)[] = []
    return {
      writeEntry(base, ...request) {
        later.push(() => base(...request))
      },
      async settle(base, request) {
        const reply = await base(request)
        const writes = later
        later = []
        await meanwhile(40)
        for (const write of writes) write()
        return reply
      },
    }
  }),
  plant("an entry written before the money", ["money and entry are one step"], {
    async settle(base, request) {
      const partition = this.partition(request.partition)
      const reservation = partition.reservations.get(request.key)
      if (reservation?.state === "held" && reservation.fingerprint === request.fingerprint) {
        const shares = reservation.shares.map((share) => ({ ...share, charge: this.amountOf(request, share.name) }))
        this.writeEntry(partition, request, shares, this.now(request.partition))
        await meanwhile(40)
      }
      return base(request)
    },
  }),
  plant(
    "releases without an entry",
    ["a reservation has no entry while it is held", "a settle of a lost key and a release"],
    {
      writeEntry(base, partition, request, shares, now) {
        if (request.outcome === "settled") base(partition, request, shares, now)
      },
    },
  ),
  plant("an entry while the key is held", ["a reservation has no entry while it is held"], {
    hold(base, partition, request, now) {
      base(partition, request, now)
      this.ledger.write(
        partition,
        request.key,
        request.pendingEntry,
        { state: "expired", revision: 0, charges: {} },
        now,
      )
    },
    stateByEntry: () => undefined,
  }),
  plant(
    "expiry without an entry",
    ["an expired lease becomes its pending entry", "a reservation has no entry while it is held"],
    { writeExpired() {} },
  ),
  plant("expiry of a reservation without counters without an entry", ["an expired lease becomes its pending entry"], {
    writeExpired(base, ...request) {
      if (request[3].length > 0) base(...request)
    },
  }),
  plant("an expired entry at the whole bound", ["an expired lease becomes its pending entry"], {
    writeExpired(base, partition, key, entry, shares, now) {
      base(partition, key, { ...entry, costNanoUsd: entry.reservedNanoUsd }, shares, now)
    },
  }),
  plant("an expiry dated to the end of the lease", ["an expired lease becomes its pending entry"], {
    expireHeld(base, partition, key, reservation, now) {
      const expired = base(partition, key, reservation, now)
      partition.entries.get(key)!.at = reservation.leaseEnd
      return expired
    },
  }),
  plant(
    "an expired entry without its charges",
    ["an expired lease becomes its pending entry", "for every counter, spent is the sum"],
    {
      writeExpired(base, partition, key, entry, _unused3, now) {
        base(partition, key, entry, [], now)
      },
    },
  ),
  plant("a replay that writes its entry", ["a replayed settle writes no second entry"], {
    replay(base, partition, request, now, status) {
      const reservation = partition.reservations.get(request.key)
      if (reservation) this.writeEntry(partition, request, reservation.shares, now)
      return base(partition, request, now, status)
    },
  }),
  plant("a mismatch that writes its entry", ["a settle that is a mismatch, forgotten"], {
    async settle(base, request) {
      const reply = await base(request)
      if (reply.status === "mismatch") this.writeEntry(this.partition(request.partition), request, [], reply.now)
      return reply
    },
  }),
  plant("other counters that write their entry", ["a settle that is a mismatch, forgotten"], {
    async settle(base, request) {
      const reply = await base(request)
      if (reply.status === "other-counters") this.writeEntry(this.partition(request.partition), request, [], reply.now)
      return reply
    },
  }),
  ledgerPlant(
    "a later write that moves the time",
    ["a late settle overwrites the expired entry", "a later settle replaces the whole entry"],
    {
      write(base, partition, key, entry, origin, now) {
        partition.entries.delete(key)
        base(partition, key, entry, origin, now)
      },
    },
  ),
  ledgerPlant("an entry per revision", ["a replayed settle writes no second entry"], {
    write(base, partition, key, entry, origin, now) {
      base(partition, origin.revision > 0 ? `${key}.${origin.revision}` : key, entry, origin, now)
    },
  }),
  ledgerPlant("a later entry merged into the first", ["a later settle replaces the whole entry"], {
    write(base, partition, key, entry, origin, now) {
      base(partition, key, { ...partition.entries.get(key), ...entry }, origin, now)
    },
  }),
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
    ...ledgerPlant("the ledger's own entries returned", ["a reply is the caller's"], {
      async list(base, request) {
        const page = await base(request)
        const { entries } = this.partition(request.partition)
        return { ...page, entries: page.entries.map(({ idempotencyKey }) => entries.get(idempotencyKey)!) }
      },
    }),
    connect: (store) => store,
  },
  // ── Record ──
  ledgerPlant(
    "record that overwrites",
    ["record writes an entry without money", "record does nothing to a reservation's entry"],
    {
      async record(base, request) {
        this.partition(request.partition).entries.delete(request.key)
        return base(request)
      },
    },
  ),
  ledgerPlant(
    "record that does not count",
    ["record writes an entry without money", "records of one key from many callers"],
    { countAfter: (_base, count) => count },
  ),
  ledgerPlant("record that counts one at a time", ["record writes an entry without money"], {
    countAfter: (_base, count) => count + 1,
  }),
  ledgerPlant("record that counts what it read before", ["records of one key from many callers"], {
    async record(base, request) {
      const { entries } = this.partition(request.partition)
      const before = entries.get(request.key)
      const count = before === undefined ? 0 : (before.count ?? 1)
      await meanwhile(4)
      const reply = await base(request)
      entries.get(request.key)!.count = count + (request.entry.count ?? 1)
      return reply
    },
  }),
  ledgerPlant(
    "a recorded entry that stays under its key",
    ["record does nothing to a reservation's entry", "a recorded entry does not make its key known"],
    {
      write(base, partition, key, entry, origin, now) {
        if (partition.entries.get(key)?.state !== "recorded") base(partition, key, entry, origin, now)
      },
    },
  ),
  ledgerPlant("a recorded count that outlives a settle", ["record does nothing to a reservation's entry"], {
    write(base, partition, key, entry, origin, now) {
      const count = partition.entries.get(key)?.count ?? (partition.entries.has(key) ? 1 : undefined)
      base(partition, key, { ...entry, ...(count !== undefined && { count }) }, origin, now)
    },
  }),
  // ── Pages ──
  ledgerPlant("pages by offset", ["pages are stable under writes"], {
    async list(_base, request) {
      const offset = Number(request.cursor ?? 0)
      const sorted = this.sorted(request.partition, request.filter)
      if (request.newestFirst) sorted.reverse()
      const entries = sorted.slice(offset, offset + request.limit)
      const cursor = offset + request.limit < sorted.length ? String(offset + request.limit) : null
      return { entries, cursor, dropped: 0 }
    },
  }),
  ledgerPlant("pages by time alone", ["the order is (at, key)"], {
    after(_base, sorted, cursor, newestFirst) {
      const at = Number(cursor?.split("~")[0])
      return cursor === null ? sorted : sorted.filter((entry) => (newestFirst ? entry.at < at : entry.at > at))
    },
  }),
  ledgerPlant("an invalid cursor treated as the beginning", ["a cursor that no page returned"], {
    list: async (base, request) =>
      base({ ...request, cursor: /^\d+~/.test(request.cursor ?? "") ? request.cursor : null }),
  }),
  ledgerPlant("pages that skip what was settled meanwhile", ["pages are stable under writes"], () => {
    let revisions = 0
    return {
      write(base, ...request) {
        base(...request)
        if (request[3].revision > 0) revisions++
      },
      sorted: (base, partition, filter) =>
        base(partition, filter).filter(({ revision }) => revisions < 3 || revision === 0),
    }
  }),
  ledgerPlant("newest first, whatever the range", ["filters hold for totals as for pages"], {
    async list(base, request) {
      const { from: _from, to: _to, ...filter } = request.filter
      return base(request.newestFirst ? { ...request, filter } : request)
    },
  }),
  ledgerPlant("attempts in the order of text", ["the attempts of a request come in the order of their numbers"], {
    async get(base, request) {
      const attempts = await base(request)
      return attempts.sort((a, b) => (String(a.attempt) < String(b.attempt) ? -1 : 1))
    },
  }),
  ledgerPlant("requests of every partition", ["each partition has its own ledger"], (store) => ({
    async get(base, request) {
      const all = [...store.state.keys()].map((partition) => base({ ...request, partition }))
      return (await Promise.all(all)).flat()
    },
  })),
  // ── Filters ──
  ledgerPlant(
    "clients without case",
    ["any string in an entry is returned"],
    withMatch("clientId", (value, wanted) => value.toLowerCase() === wanted.toLowerCase()),
  ),
  ledgerPlant(
    "strings normalized",
    ["any string in an entry is returned"],
    withMatch("userId", (value, wanted) => value.normalize() === wanted.normalize()),
  ),
  ledgerPlant(
    "spaces at the end ignored",
    ["any string in an entry is returned", "every filter matches exactly"],
    withMatch("userId", (value, wanted) => value.trimEnd() === wanted.trimEnd()),
  ),
  ledgerPlant(
    "strings compared to 255 characters",
    ["any string in an entry is returned"],
    withMatch("userId", (value, wanted) => value.slice(0, 255) === wanted.slice(0, 255)),
  ),
  ledgerPlant(
    "strings compared to the first NUL",
    ["any string in an entry is returned"],
    withMatch("model", (value, wanted) => value.split("\0")[0] === wanted.split("\0")[0]),
  ),
  ledgerPlant(
    "strings compared as UTF-8",
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
    "strings stored as UTF-8",
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
  ledgerPlant("an index of the first entry", ["a later settle replaces the whole entry"], () => {
    const models = new Map<string, string>()
    return {
      write(base, ...request) {
        base(...request)
        if (!models.has(request[1])) models.set(request[1], request[2].model)
      },
      matches(base, entry, { model, ...rest }) {
        const same = model === undefined || models.get(entry.idempotencyKey) === model
        return same && base(entry, rest)
      },
    }
  }),
  // ── Totals ──
  ledgerPlant("totals of the first entry", ["totals follow the latest settle"], () => {
    const first = new Map<string, StoredEntry>()
    return {
      write(base, ...request) {
        base(...request)
        const stored = request[0].entries.get(request[1])!
        if (!first.has(request[1])) first.set(request[1], structuredClone(stored))
      },
      totalsOf: (base, group, entries) =>
        base(
          group,
          entries.map((entry) => first.get(entry.idempotencyKey) ?? entry),
        ),
    }
  }),
  ledgerPlant(
    "totals in fourteen digits",
    ["large sums are exact"],
    withSums((row) => ({ ...row, costNanoUsd: Number(row.costNanoUsd.toPrecision(14)) })),
  ),
  ledgerPlant(
    "sums in single precision",
    ["sums saturate at the largest number"],
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
  ledgerPlant("audits in totals", ["audit entries are listed, and totals omit"], {
    async totals(base, request) {
      const entries = this.sorted(request.partition, request.filter)
      return request.groupBy.length > 0 || entries.length === 0 ? base(request) : [this.totalsOf([], entries)]
    },
  }),
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
  ledgerPlant("buckets always first", ["time buckets are the caller's"], {
    async totals(base, request) {
      const groupBy = [...request.groupBy].sort((by) => (by === "bucket" ? -1 : 0))
      return base({ ...request, groupBy })
    },
  }),
  ledgerPlant("totals that read part by part", ["totals during writes are of whole entries"], {
    async totals(base, request) {
      const before = await base(request)
      await meanwhile(100)
      const after = await base(request)
      return before.map((row, index) => ({ ...row, costNanoUsd: after[index]!.costNanoUsd }))
    },
  }),
  // ── Entries that are deleted ──
  ledgerPlant("prune that takes one more", ["prune removes older entries"], {
    prune: async (base, request) => base({ ...request, before: request.before + 1 }),
  }),
  ledgerPlant("prune that stops after one step", ["three thousand entries in order"], {
    async prune(_base, request) {
      const partition = this.partition(request.partition)
      const old = this.sorted(request.partition, { to: request.before }).slice(0, 1_000)
      for (const entry of old) partition.entries.delete(entry.idempotencyKey)
      return { removed: old.length }
    },
  }),
  ledgerPlant("prune that takes the charges back", ["prune removes older entries"], {
    prune(base, request) {
      const { counters } = this.partition(request.partition)
      for (const { charges } of this.sorted(request.partition, { to: request.before }))
        for (const [name, amount] of Object.entries(charges)) counters.get(name)!.spent -= amount
      return base(request)
    },
  }),
  ledgerPlant("prune of every partition whose name begins alike", ["each partition has its own ledger"], (store) => ({
    async prune(base, request) {
      const alike = [...store.state.keys()].filter((name) => name.startsWith(request.partition))
      for (const partition of alike) await base({ ...request, partition })
      return base(request)
    },
  })),
  ledgerPlant("entries kept forever", ["the ledger's retention removes entries"], {
    entryAt: (_base, partition, key) => partition.entries.get(key),
  }),
]
