import type {
  AdjustReply,
  AdjustRequest,
  CounterChange,
  ExpireReply,
  ExpireRequest,
  ExtendReply,
  ExtendRequest,
  FinalState,
  ListDueReply,
  ReserveCounter,
  ReserveReply,
  ReserveRequest,
  SettleReply,
  SettleRequest,
} from "../src/store/budget-store"

/** How long the key of an adjustment is kept if its counter has no window. */
const ENDLESS_ADJUSTMENT_MS = 90 * 86_400_000

interface JournalCounter {
  spent: number
  reserved: number
  granted: number
  /** High-water mark of `spent`. */
  peak: number
  /** Sum of corrections and resets of `spent`. */
  adjusted: number
  /** Charges that are in entries but not in the counter, because the store had forgotten the counter. */
  uncounted: number
  endsAt: number | null
}

interface JournalReservation {
  state: "held" | FinalState
  /** Revision of the last settle. */
  revision: number
  leaseEnd: number
  /** Time of the last change by rule 6. */
  now: number
  counters: Map<string, { amount: number; onExpire: number; charge: number }>
}

/**
 * The replies of the store, in the order in which it applied the calls. Computes from them alone what every counter must
 * contain, and finds replies that break the contract.
 */
export class Journal {
  readonly violations: string[] = []
  readonly counters = new Map<string, JournalCounter>()
  readonly reservations = new Map<string, JournalReservation>()
  /** Keys of settles that got the reply `forgotten`. */
  readonly forgottenKeys = new Set<string>()
  /** Keys that a reserve found expired: their charge stays. */
  readonly expiredKeys = new Set<string>()
  /** Applied resets: they lower the peak, so that thresholds are crossed again. */
  resets = 0
  /** By key of an adjustment: the time until which it is kept. */
  readonly #adjustments = new Map<string, number>()
  /** The latest time that was written; it never runs backwards. */
  #time = 0

  constructor(
    private readonly clock: () => number,
    private readonly retentionMs: number,
  ) {}

  /** End of the last lease that is still held; 0 if no lease is. */
  get lastLeaseEnd(): number {
    const held = [...this.reservations.values()].filter(({ state }) => state === "held")
    return Math.max(0, ...held.map(({ leaseEnd }) => leaseEnd))
  }

  /** Records one reply of a member of the store. */
  add(member: string, request: unknown, reply: { now: number }): void {
    if (member === "reserve") this.#reserve(request as ReserveRequest, reply as ReserveReply)
    if (member === "settle") this.#settle(request as SettleRequest, reply as SettleReply)
    if (member === "extend") this.#extend(request as ExtendRequest, reply as ExtendReply)
    if (member === "expire") this.#expire(request as ExpireRequest, reply as ExpireReply)
    if (member === "adjust") this.#adjust(request as AdjustRequest, reply as AdjustReply)
    if (member === "listDue") this.#listDue(request as { limit: number }, reply as ListDueReply)
    if (member === "acceptClock") this.#time = reply.now
    const earliest = Math.max(this.clock(), this.#time)
    if (reply.now < earliest)
      this.#fail(`${member} replies the time ${reply.now}, which is ${earliest - reply.now} ms too early`)
  }

  #listDue({ limit }: { limit: number }, { due }: ListDueReply): void {
    const keys = this.#dueKeys()
    if (due.length !== Math.min(limit, keys.size) || due.some(({ key }) => !keys.has(key)))
      this.#fail(`[${due.map(({ key }) => key)}] are due instead of [${[...keys]}]`)
    for (const { key, counters } of due)
      if (`${[...counters].sort()}` !== `${[...(this.reservations.get(key)?.counters.keys() ?? [])].sort()}`)
        this.#fail(`${key} is due in [${counters}]`)
  }

  #dueKeys(): Set<string> {
    const due = [...this.reservations].filter(([, reservation]) => this.#isHeld(reservation, "ended"))
    return new Set(due.map(([key]) => key))
  }

  #reserve(request: ReserveRequest, reply: ReserveReply): void {
    const { key, counters } = request
    // `due` is the state before the reserve. Without it, no process would expire the leases of dead processes.
    if (reply.due !== this.#dueKeys().size > 0)
      this.#fail(`the reserve of ${key} reports that ${reply.due ? "" : "no "}leases are due`)
    const reservation = this.reservations.get(key)
    const { status } = reply
    if (status === "resolved" && reply.state !== reservation?.state)
      this.#fail(`${key} is ${reply.state}, after it was ${reservation?.state ?? "never reserved"}`)
    if (status === "lease-ended" && !this.#isHeld(reservation, "ended")) this.#fail(`the lease of ${key} has not ended`)
    if (status === "ok" && reply.replayed && !this.#isHeld(reservation, "running"))
      this.#fail(`${key} is replayed, and it is not held`)
    if (status === "ok" && reply.replayed && reply.expiresAt !== reservation?.leaseEnd)
      this.#fail(`${key} is replayed with another end of its lease`)
    if (status === "lease-ended" || (status === "resolved" && reply.state === "expired")) this.expiredKeys.add(key)
    if (status === "exceeded") this.#checkDenial(request, reply.which)
    if (status === "ok" && !reply.replayed) this.#admit(request, reply)
    // A replay may name windows that are forgotten.
    if ((status === "ok" && !reply.replayed) || status === "exceeded")
      for (const [index, { name }] of counters.entries()) this.#compare(key, name, reply.counters[index]!)
  }

  #admit({ key, counters, leaseMs }: ReserveRequest, { now, expiresAt }: { now: number; expiresAt: number }): void {
    // A key is never reserved twice, however its reservation ended.
    if (this.reservations.has(key)) this.#fail(`${key} is admitted a second time`)
    if (expiresAt !== this.clock() + leaseMs) this.#fail(`the lease of ${key} does not last for ${leaseMs} ms`)
    for (const counter of counters) {
      const { name, amount, startsAt, endsAt } = counter
      if (!this.#fits(counter)) this.#fail(`overspend in ${name} (${key})`)
      if ((startsAt !== null && now < startsAt) || (endsAt !== null && now >= endsAt))
        this.#fail(`${key} is admitted in the window of ${name}, which is not open`)
      this.#counter(name, endsAt).reserved += amount
    }
    const shares = counters.map(({ name, amount, onExpire }) => [name, { amount, onExpire, charge: 0 }] as const)
    this.reservations.set(key, {
      ...{ state: "held", revision: 0, leaseEnd: expiresAt, now },
      counters: new Map(shares),
    })
    this.#time = now
  }

  #checkDenial({ key, counters }: ReserveRequest, which: readonly number[]): void {
    const denying = counters.flatMap((counter, index) => (this.#fits(counter) ? [] : [index]))
    if (`${denying}` !== `${which}`) this.#fail(`${key} is denied by [${which}], and does not fit into [${denying}]`)
  }

  /** Rule 2, computed from the counters of this journal. */
  #fits({ name, amount, limit, endsAt }: ReserveCounter): boolean {
    const { spent, reserved, granted } = this.#counter(name, endsAt)
    return amount === 0 || limit === null || spent + reserved + amount <= limit + granted
  }

  #settle(request: SettleRequest, reply: SettleReply): void {
    const { key, outcome, revision } = request
    const reservation = this.reservations.get(key)
    const state = reservation?.state
    const isOpen = state === undefined || state === "held" || state === "expired"
    if (reply.status === "forgotten") this.#checkForgotten(key, reservation, reply.now)
    if (reply.status === "mismatch" && isOpen) this.#fail(`a settle of ${key} is a mismatch, and it is ${state}`)
    if (reply.status === "other-counters" && reservation === undefined) this.#fail(`${key} was never reserved`)
    if (reply.status !== "settled" && reply.status !== "released") return
    const { replayed, late, recovered } = reply
    if (reply.status !== outcome) this.#fail(`${key} is ${reply.status} instead of ${outcome}`)
    if (replayed && state !== outcome) this.#fail(`a settle of ${key} is a replay, and it is ${state}`)
    if (replayed) return
    if (recovered && reservation !== undefined) this.#fail(`${key} was lost`)
    if (late !== (state === "expired"))
      this.#fail(`the settle of ${key} is ${late ? "" : "not "}late, and it is ${state}`)
    const isReplaced = state === "settled" && outcome === "settled" && revision > reservation!.revision
    if (!isOpen && !isReplaced) this.#fail(`${key} is ${outcome}, after it was ${state}`)
    this.#resolve(request, reservation, reply)
  }

  #resolve(
    { key, outcome, revision, counters }: SettleRequest,
    reservation: JournalReservation | undefined,
    { now, counters: changes, forgottenCounters }: Extract<SettleReply, { status: "settled" | "released" }>,
  ): void {
    const shares: JournalReservation["counters"] = new Map()
    let over = 0
    for (const [index, { name, amount, endsAt }] of counters.entries()) {
      const before = reservation?.counters.get(name)
      if (reservation !== undefined && before === undefined)
        this.#fail(`${key} is settled in ${name}, not reserved there`)
      const charge = outcome === "settled" ? amount : 0
      const by = {
        spent: charge - (before?.charge ?? 0),
        reserved: reservation?.state === "held" ? -(before?.amount ?? 0) : 0,
      }
      const counter = this.#counter(name, endsAt)
      // A counter in which nothing was reserved may be forgotten with its window.
      const isOver = !before?.amount && endsAt !== null && now >= endsAt + this.retentionMs
      const isForgotten = isOver && forgottenCounters > 0 && changes[index]!.peak === 0
      if (isOver) over++
      if (isForgotten) counter.uncounted += by.spent
      else this.#change(key, counter, by, changes[index]!)
      shares.set(name, { amount: before?.amount ?? 0, onExpire: before?.onExpire ?? 0, charge })
    }
    if (forgottenCounters > over) this.#fail(`${forgottenCounters} counters of ${key} are forgotten too early`)
    const leaseEnd = reservation?.leaseEnd ?? now
    this.reservations.set(key, { state: outcome, revision, leaseEnd, now, counters: shares })
    this.#time = now
  }

  /** Rule 4: a key is not forgotten before the retention ends, and never while it is held. */
  #checkForgotten(key: string, reservation: JournalReservation | undefined, now: number): void {
    this.forgottenKeys.add(key)
    if (reservation === undefined) return
    const isKept = now < Math.max(reservation.leaseEnd, reservation.now) + this.retentionMs
    if (reservation.state === "held" || isKept) this.#fail(`${key} is forgotten too early`)
  }

  #extend({ key }: ExtendRequest, reply: ExtendReply): void {
    if (reply.status !== "held") return
    const reservation = this.reservations.get(key)
    if (!this.#isHeld(reservation, "running")) this.#fail(`${key} is extended, and it is not held`)
    if (reservation === undefined) return
    if (reply.expiresAt < reservation.leaseEnd) this.#fail(`the lease of ${key} was shortened`)
    reservation.leaseEnd = reply.expiresAt
  }

  #expire({ key, counters }: ExpireRequest, reply: ExpireReply): void {
    if (reply.status !== "expired") return
    const reservation = this.reservations.get(key)
    if (!this.#isHeld(reservation, "ended")) this.#fail(`${key} expires, and its lease has not ended`)
    if (reservation === undefined) return
    const charges = counters.map((name) => reservation.counters.get(name)?.onExpire)
    if (`${charges}` !== `${reply.charged}`) this.#fail(`${key} expires for [${reply.charged}] instead of [${charges}]`)
    for (const change of reply.counters) {
      const share = reservation.counters.get(change.name)
      // A counter in which nothing is reserved may be forgotten.
      if (share === undefined || share.amount === 0) continue
      share.charge = share.onExpire
      this.#change(key, this.#counter(change.name, null), { spent: share.onExpire, reserved: -share.amount }, change)
    }
    Object.assign(reservation, { state: "expired", now: reply.now })
    this.#time = reply.now
  }

  #adjust({ key, kind, counter: { name, endsAt } }: AdjustRequest, reply: AdjustReply): void {
    if (reply.status !== "ok" || reply.replayed) return
    if (reply.now < (this.#adjustments.get(key) ?? 0)) this.#fail(`the adjustment ${key} is applied a second time`)
    this.#adjustments.set(key, endsAt === null ? reply.now + ENDLESS_ADJUSTMENT_MS : endsAt + this.retentionMs)
    const counter = this.#counter(name, endsAt)
    const { peak } = counter
    if (kind !== "granted") counter.adjusted += reply.applied
    if (kind === "reset") {
      this.resets++
      counter.peak = 0
    }
    const by = kind === "granted" ? { granted: reply.applied } : { spent: reply.applied }
    this.#change(key, counter, by, { ...reply.counter, peakBefore: counter.peak })
    if (reply.counter.peakBefore !== peak) this.#fail(`the peak of ${name} was ${peak} before the adjustment ${key}`)
    this.#time = reply.now
  }

  /** Changes a counter of this journal, and compares it with the counter of the reply. */
  #change(
    key: string,
    counter: JournalCounter,
    by: { spent?: number; reserved?: number; granted?: number },
    change: CounterChange,
  ): void {
    const { peak } = counter
    counter.spent += by.spent ?? 0
    counter.reserved += by.reserved ?? 0
    counter.granted += by.granted ?? 0
    counter.peak = Math.max(peak, counter.spent)
    this.#compare(key, change.name, change)
    // Each rise of the peak crosses its thresholds once.
    if (change.peakBefore !== peak || change.peak !== counter.peak)
      this.#fail(
        `${change.name} rises from ${change.peakBefore} to ${change.peak}, not ${peak} to ${counter.peak} (${key})`,
      )
  }

  #isHeld(reservation: JournalReservation | undefined, lease: "running" | "ended"): boolean {
    if (reservation?.state !== "held") return false
    return lease === "running" ? this.clock() < reservation.leaseEnd : this.clock() >= reservation.leaseEnd
  }

  #compare(key: string, name: string, state: { spent: number; reserved: number; granted: number }): void {
    const { spent, reserved, granted } = this.#counter(name, null)
    if (state.spent === spent && state.reserved === reserved && state.granted === granted) return
    this.#fail(
      `${name} after ${key}: ${state.spent} spent, ${state.reserved} reserved, ${state.granted} granted instead of ${spent}, ${reserved}, ${granted}`,
    )
  }

  #counter(name: string, endsAt: number | null): JournalCounter {
    let counter = this.counters.get(name)
    if (counter === undefined) {
      counter = { spent: 0, reserved: 0, granted: 0, peak: 0, adjusted: 0, uncounted: 0, endsAt }
      this.counters.set(name, counter)
    }
    return counter
  }

  #fail(what: string): void {
    this.violations.push(what)
  }
}
