import type { Budget, Limit, LimitStatus, Scope, Subject, UsageTotals } from "@p2/budget"
import { formatUsd, InvalidArgumentError } from "@p2/core"
import { nameOptions } from "../../output/name-options"
import { print } from "../../output/print"
import { formatCount, renderTable } from "../../output/table"
import { configKeys } from "../config/config-keys"
import { openKeyStore } from "../keys/open-key-store"
import { KEY_TAG, type KeyRecord, keyState, limitsOf as limitsOfKey } from "../keys/virtual-key"
import { formatScope } from "../limit-text"
import { readCount } from "./count"
import { type OpenLedger, type StoreArguments, withLedger } from "./open-ledger"
import { type LimitArguments, limitsOf, readSubject, type SubjectArguments } from "./subject-options"

export interface StatusArguments extends StoreArguments, SubjectArguments, LimitArguments {
  rows: string
  json?: true
}

/** The status of a limit for one value of its scope. */
interface StatusRow extends LimitStatus {
  /** User id, tag value …; null for `total`. */
  value: string | null
  /** Share of the limit and its top-ups that is spent or reserved; null: no limit. */
  used: number | null
}

/** `p2 status` */
export async function printStatus(given: StatusArguments): Promise<void> {
  const rows = readCount(given.rows, "--rows")
  checkLimitOptions(given)
  const show = async (ledger: OpenLedger) => {
    // Reservations of a killed process are charged when their leases end.
    await ledger.budget.sweep()
    const limits = limitsOf(given, ledger.config)
    const subject = readSubject(given)
    const isOne = Object.values(subject).some((value) => value !== undefined)
    const keys = await keysOf(ledger)
    if (limits.length === 0 && keys.length === 0) return printSpending(ledger, rows, given.json === true)
    const listed = isOne
      ? await statusOfSubject(ledger, limits, keys, subject)
      : [
          ...(await Promise.all(limits.map((limit) => statusOfLimit(ledger, limit, rows)))).flat(),
          ...(await Promise.all(keys.slice(0, rows).map((key) => statusOfKey(ledger, key)))).flat(),
        ]
    print(describeRows(listed), { address: ledger.address, limits: listed }, { asJson: given.json === true })
  }
  await nameOptions(() => withLedger(given, show))
}

/** @throws InvalidArgumentError for a part of a limit without the limit */
function checkLimitOptions({ limit, per, timeZone }: StatusArguments): void {
  if (limit !== undefined) return
  for (const [name, value] of Object.entries({ "--per": per, "--time-zone": timeZone }))
    if (value !== undefined) throw new InvalidArgumentError(name, "absent, because there is no `--limit`", value)
}

/** Active keys with their own limits. Only a server has keys. */
async function keysOf({ config, address, budget }: OpenLedger): Promise<KeyRecord[]> {
  if (config === undefined) return []
  const store = await openKeyStore(address, budget.store)
  try {
    const records = [...configKeys(config), ...(await store.list())]
    return records.filter((record) => limitsOfKey(record).length > 0 && keyState(record, Date.now()) === "active")
  } finally {
    await store.close()
  }
}

async function statusOfSubject(
  ledger: OpenLedger,
  limits: readonly Limit[],
  keys: readonly KeyRecord[],
  subject: Subject,
): Promise<StatusRow[]> {
  const own = keys.filter(({ id, userId }) =>
    subject.tags?.[KEY_TAG] === undefined
      ? userId !== undefined && userId === subject.userId
      : id === subject.tags[KEY_TAG],
  )
  const statuses = await ledger.budgetWith(limits).status(subject)
  const rows = statuses.map((status) => rowOf(status, scopeValue(subject, status.scope)))
  return [...rows, ...(await Promise.all(own.map((key) => statusOfKey(ledger, key)))).flat()]
}

/** A limit, for each value of its scope in the ledger of the current window, the most expensive first. */
async function statusOfLimit(ledger: OpenLedger, limit: Limit, rows: number): Promise<StatusRow[]> {
  const { scope } = limit
  const budget = ledger.budgetWith([limit])
  const group = groupOf(scope)
  if (group === undefined) return scope === "total" ? (await budget.status()).map((status) => rowOf(status, null)) : []
  const values = await valuesIn(ledger.budget, group, await windowStart(budget, scope), rows)
  const statuses = await Promise.all(
    values.map(async (value) => (await budget.status(subjectWith(scope, value))).map((status) => rowOf(status, value))),
  )
  return statuses.flat()
}

async function statusOfKey(ledger: OpenLedger, record: KeyRecord): Promise<StatusRow[]> {
  const statuses = await ledger.budgetWith(limitsOfKey(record)).status({ tags: { [KEY_TAG]: record.id } })
  return statuses.map((status) => rowOf(status, record.id))
}

type Group = "userId" | "clientId" | "model" | { tag: string }

function groupOf(scope: Scope): Group | undefined {
  if (typeof scope === "object") return "tag" in scope ? { tag: scope.tag } : undefined
  return ({ user: "userId", client: "clientId", model: "model" } as const)[scope as "user"]
}

function subjectWith(scope: Scope, value: string): Subject {
  if (typeof scope === "object") return "tag" in scope ? { tags: { [scope.tag]: value } } : {}
  const field = ({ user: "userId", client: "clientId", model: "model" } as const)[scope as "user"]
  return { [field]: value }
}

function scopeValue({ userId, clientId, model, tags }: Subject, scope: Scope): string | null {
  if (typeof scope === "object") return ("tag" in scope ? tags?.[scope.tag] : undefined) ?? null
  return { user: userId, client: clientId, model, total: undefined, request: undefined }[scope] ?? null
}

async function windowStart(budget: Budget, scope: Scope): Promise<number | null> {
  const [status] = await budget.status(subjectWith(scope, "-"))
  return status?.startsAt ?? null
}

async function valuesIn(budget: Budget, group: Group, from: number | null, limit: number): Promise<string[]> {
  const filter = from === null ? {} : { from }
  const rows = await budget.usage.totals({ filter, groupBy: [group], orderBy: "costNanoUsd", limit })
  return rows.flatMap(({ group: [value] }) => (typeof value === "string" ? [value] : []))
}

function rowOf(status: LimitStatus, value: string | null): StatusRow {
  const { limit, granted, spent, reserved } = status
  const capacity = limit === null ? null : limit + granted
  const used = capacity === null ? null : capacity > 0 ? (spent + reserved) / capacity : spent + reserved > 0 ? 1 : 0
  return { ...status, value, used }
}

function describeRows(rows: readonly StatusRow[]): string {
  if (rows.length === 0) return "Nothing was spent in the current windows."
  const columns = [
    { title: "SCOPE" },
    { title: "WINDOW" },
    ...["LIMIT", "SPENT", "RESERVED", "REMAINING", "USED"].map((title) => ({ title, align: "right" as const })),
    { title: "RESETS" },
  ]
  return renderTable(
    columns,
    rows.map((row) => [
      `${formatScope(row.scope)}${row.value === null ? "" : ` ${row.value}`}`,
      row.window,
      ...[limitOf(row), row.spent, row.reserved, row.remaining].map((amount) => formatAmount(amount, row.unit)),
      row.used === null ? "" : `${Math.floor(row.used * 100)} %`,
      row.resetsAt === null ? "never" : new Date(row.resetsAt).toISOString().slice(0, 16).replace("T", " "),
    ]),
  )
}

function limitOf({ limit, granted }: StatusRow): number | null {
  return limit === null ? null : limit + granted
}

/** Rounded to cents for readability; `--json` has the exact amounts. */
function formatAmount(amount: number | null, unit: LimitStatus["unit"]): string {
  if (amount === null) return "-"
  if (unit !== "usd") return `${formatCount(amount)} ${unit}`
  return formatDollars(Math.round(amount * 1e9))
}

/** At most six decimals. */
export function formatDollars(nanoUsd: number): string {
  return formatUsd(Math.round(nanoUsd / 1_000) * 1_000)
}

const DAY_MS = 86_400_000

/** What each user spent: the store does not know the limits of programs. */
async function printSpending({ budget, address }: OpenLedger, limit: number, asJson: boolean): Promise<void> {
  const since = async (from: number | undefined) => {
    const filter = from === undefined ? {} : { from }
    const rows = await budget.usage.totals({ filter, groupBy: ["userId"], orderBy: "costNanoUsd" })
    return new Map(rows.map((row) => [row.group[0] as string | null, row]))
  }
  const now = Date.now()
  const [day, week, ever] = await Promise.all([since(now - DAY_MS), since(now - 7 * DAY_MS), since(undefined)])
  const users = [...ever].slice(0, limit).map(([user, totals]) => ({
    user,
    lastDayNanoUsd: day.get(user)?.costNanoUsd ?? 0,
    lastWeekNanoUsd: week.get(user)?.costNanoUsd ?? 0,
    ...spendingOf(totals),
  }))
  print(describeSpending(users), { address, users }, { asJson })
}

interface Spending {
  user: string | null
  lastDayNanoUsd: number
  lastWeekNanoUsd: number
  everNanoUsd: number
  inDoubtNanoUsd: number
  calls: number
}

function spendingOf({ costNanoUsd, inDoubtNanoUsd, attempts, denied }: UsageTotals) {
  return { everNanoUsd: costNanoUsd, inDoubtNanoUsd, calls: attempts - denied }
}

const HINT =
  "The store does not contain the limits of programs. To see what remains, pass --config p2.json, or the limit of `p2 run`: --limit 5 --per day."

function describeSpending(users: readonly Spending[]): string {
  if (users.length === 0) return "Nothing was spent."
  const titles = ["LAST 24 H", "LAST 7 DAYS", "EVER", "IN DOUBT", "CALLS"]
  const table = renderTable(
    [{ title: "USER" }, ...titles.map((title) => ({ title, align: "right" as const }))],
    users.map(({ user, lastDayNanoUsd, lastWeekNanoUsd, everNanoUsd, inDoubtNanoUsd, calls }) => [
      user ?? "-",
      ...[lastDayNanoUsd, lastWeekNanoUsd, everNanoUsd, inDoubtNanoUsd].map(formatDollars),
      formatCount(calls),
    ]),
  )
  return `${table}\n\n${HINT}`
}
