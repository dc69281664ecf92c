import type { UsageTotals, UsageTotalsQuery } from "@p2/budget"
import { InvalidArgumentError } from "@p2/core"
import { print } from "../../output/print"
import { formatCount, renderTable } from "../../output/table"
import { KEY_TAG } from "../keys/virtual-key"
import { readCount } from "./count"
import { type StoreArguments, withLedger } from "./open-ledger"
import { formatDollars } from "./status"
import { readFilter, type SubjectArguments } from "./subject-options"

export interface TopArguments extends StoreArguments, SubjectArguments {
  by: string
  since: string
  rows: string
  json?: true
}

type Group = NonNullable<UsageTotalsQuery["groupBy"]>[number]

const GROUPS: Readonly<Record<string, Group>> = {
  user: "userId",
  client: "clientId",
  model: "model",
  provider: "provider",
  key: { tag: KEY_TAG },
}

/** `p2 top` */
export async function printTop(given: TopArguments): Promise<void> {
  const group = readGroup(given.by)
  const limit = readCount(given.rows, "--rows")
  const { since, ...subject } = given
  const filter = readFilter(since === "all" ? subject : given, Date.now())
  await withLedger(given, async ({ budget }) => {
    const [all] = await budget.usage.totals({ filter })
    const rows = await budget.usage.totals({ filter, groupBy: [group], orderBy: "costNanoUsd", limit })
    const total = all?.costNanoUsd ?? 0
    const asJson = given.json === true
    print(describe(given.by, rows, total), { by: given.by, totalNanoUsd: total, rows: rows.map(jsonOf) }, { asJson })
  })
}

/** @throws InvalidArgumentError */
function readGroup(by: string): Group {
  const group = Object.hasOwn(GROUPS, by) ? GROUPS[by] : undefined
  if (group !== undefined) return group
  const tag = /^tag:(.+)$/s.exec(by)?.[1]
  if (tag !== undefined) return { tag }
  throw new InvalidArgumentError("--by", "user, client, model, provider, key or tag:NAME such as tag:team", by)
}

function jsonOf({ group: [value], ...totals }: UsageTotals): Record<string, unknown> {
  return { value, ...totals }
}

function describe(by: string, rows: readonly UsageTotals[], total: number): string {
  if (rows.length === 0) return "No calls in this period."
  const titles = ["COST", "SHARE", "CALLS", "INPUT", "OUTPUT", "DENIED", "IN DOUBT"]
  return renderTable(
    [{ title: by.toUpperCase() }, ...titles.map((title) => ({ title, align: "right" as const }))],
    rows.map(({ group: [value], costNanoUsd, attempts, denied, tokens, inDoubtNanoUsd }) => [
      value === null ? "-" : String(value),
      formatDollars(costNanoUsd),
      total === 0 ? "" : `${Math.round((costNanoUsd / total) * 100)} %`,
      ...[attempts - denied, tokens.inputTokens ?? 0, tokens.outputTokens ?? 0, denied].map(formatCount),
      formatDollars(inDoubtNanoUsd),
    ]),
  )
}
