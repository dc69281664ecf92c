import type { Limit, LimitStatus, Scope, Subject } from "@p2/budget"
import { InvalidArgumentError } from "@p2/core"
import { nameOptions } from "../../output/name-options"
import { print } from "../../output/print"
import { configKeys } from "../config/config-keys"
import { refuseInsideRun } from "../inside-run"
import { openKeyStore } from "../keys/open-key-store"
import { KEY_TAG, limitsOf as limitsOfKey } from "../keys/virtual-key"
import { formatScope } from "../limit-text"
import { type OpenLedger, type StoreArguments, withLedger } from "./open-ledger"
import { formatDollars } from "./status"
import {
  checkPresent,
  type LimitArguments,
  limitsOf,
  readScope,
  readSubject,
  type SubjectArguments,
} from "./subject-options"

export interface AdjustArguments extends StoreArguments, SubjectArguments, LimitArguments {
  scope: string
  /** Only for `top-up`. */
  amount?: string
  idempotencyKey?: string
  json?: true
}

/** `p2 top-up` and `p2 reset`: change one counter in its current window. */
export async function adjust(command: "top-up" | "reset", given: AdjustArguments): Promise<void> {
  refuseInsideRun(command)
  const scope = readScope(given.scope)
  const subject = readSubject(given)
  checkSubject(scope, subject)
  // A script's empty variable would be one key for all of its top-ups.
  checkPresent({ "idempotency-key": given.idempotencyKey })
  const change = async (ledger: OpenLedger) => {
    const limits = await limitsOfScope(ledger, given, scope, subject)
    const { per, idempotencyKey, amount } = given
    const target = {
      ...{ subject, scope },
      ...(per !== undefined && { per: per as NonNullable<Limit["per"]> }),
      ...(idempotencyKey !== undefined && { idempotencyKey }),
    }
    const budget = ledger.budgetWith(limits)
    const statuses =
      command === "reset" ? await budget.reset(target) : await budget.topUp({ ...target, amount: amount! })
    print(statuses.map(describe).join("\n"), statuses, { asJson: given.json === true })
  }
  await nameOptions(() => withLedger(given, change))
}

/** Requires the exact scope: a change of the wrong counter would be noticed too late. @throws InvalidArgumentError */
function checkSubject(scope: Scope, { userId, clientId, model, tags = {} }: Subject): void {
  const wanted = typeof scope === "object" ? ("tag" in scope ? scope.tag : "") : scope
  const option =
    wanted === KEY_TAG && typeof scope === "object"
      ? "--key ID"
      : typeof scope === "object"
        ? `--tag ${wanted}=VALUE`
        : `--${wanted} NAME`
  const names = { user: userId, client: clientId, model }
  const present = [
    ...Object.entries(names).flatMap(([name, value]) => (value === undefined ? [] : [name])),
    ...Object.keys(tags).map((name) => `tag ${name}`),
  ]
  const expected = scope === "total" ? [] : [typeof scope === "object" ? `tag ${wanted}` : wanted]
  if (present.join() === expected.join()) return
  throw new InvalidArgumentError(
    "--scope",
    "the exact scope",
    undefined,
    scope === "total"
      ? "The scope total takes no --user, --client, --model, --tag or --key. Remove that option."
      : `The scope ${formatScope(scope)} needs exactly one ${option}.`,
  )
}

async function limitsOfScope(
  ledger: OpenLedger,
  given: AdjustArguments,
  scope: Scope,
  subject: Subject,
): Promise<readonly Limit[]> {
  const id = typeof scope === "object" ? subject.tags?.[KEY_TAG] : undefined
  const limits = [
    ...limitsOf(given, ledger.config),
    ...(id === undefined || given.limit !== undefined ? [] : await ofKey(ledger, id)),
  ]
  const isSame = (limit: Limit) => JSON.stringify(limit.scope) === JSON.stringify(scope)
  const ofScope = limits.filter(isSame).map((limit) => ({ ...limit, optional: false }))
  if (ofScope.length > 0) return ofScope
  throw new InvalidArgumentError(
    "--limit",
    "the limit",
    undefined,
    `No limit of the scope ${formatScope(scope)} was found. Pass --config, or state the program's limit: --limit 5 --per day.`,
  )
}

async function ofKey({ config, address, budget }: OpenLedger, id: string): Promise<Limit[]> {
  const store = await openKeyStore(address, budget.store)
  try {
    const records = [...(config === undefined ? [] : configKeys(config)), ...(await store.list())]
    const record = records.find((each) => each.id === id)
    return record === undefined ? [] : limitsOfKey(record)
  } finally {
    await store.close()
  }
}

function describe({ scope, window, unit, limit, granted, spent, reserved, remaining }: LimitStatus): string {
  const amount = (value: number | null) => {
    if (value === null) return "none"
    return unit === "usd" ? formatDollars(Math.round(value * 1e9)) : `${value.toLocaleString("en-US")} ${unit}`
  }
  return `${formatScope(scope)}, ${window}: limit ${amount(limit)} + ${amount(granted)} topped up, spent ${amount(spent)}, reserved ${amount(reserved)}, remaining ${amount(remaining)}`
}
