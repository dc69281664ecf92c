import { inspect } from "node:util"
import { P2Error } from "@p2/core"
import type { BilledCall } from "@p2/local-provider"
import type { AttemptReceipt, Receipt } from "../src/index"
import type { Audit, Outcome, Played } from "./play-world"

const sum = (values: Iterable<number>): number => [...values].reduce((total, value) => total + value, 0)

/** What of the promises was not kept, in words; empty when all were. */
export function checkWorld(played: Played): string[] {
  const wrong: string[] = []
  const lines = linesById(played)
  for (const outcome of played.outcomes) {
    const say = (what: string) => void wrong.push(`call ${outcome.client}.${outcome.call}: ${what}`)
    checkOutcome(outcome, say)
    if (outcome.receipt !== undefined) checkReceipt(outcome, played, lines, say)
  }
  const known = new Set(attemptsOf(played).map(({ id }) => id))
  for (const id of lines.keys())
    if (!known.has(id)) wrong.push(`the provider was called for ${id}, which no receipt has`)
  checkLedger(played, wrong)
  checkCharges(played, wrong)
  checkReserves(played, wrong)
  checkCells(played, wrong)
  checkSums(played, wrong)
  checkTotals(played, wrong)
  for (const audit of played.audits)
    checkAudit(audit, lines, (what) => wrong.push(`audit of ${audit.receipt.requestId}: ${what}`))
  checkSecrets(played, wrong)
  for (const error of played.unhandled) wrong.push(`unhandled: ${inspect(error)}`)
  if (played.pendingAtClose > 0)
    wrong.push(`${played.pendingAtClose} settlements are pending after all clients were closed`)
  return wrong
}

type Say = (what: string) => void

function attemptsOf({ outcomes }: Played): AttemptReceipt[] {
  return outcomes.flatMap(({ receipt }) => receipt?.attempts ?? [])
}

function linesById({ provider }: Played): Map<string, BilledCall[]> {
  const lines = new Map<string, BilledCall[]>()
  for (const call of provider.ledger.calls) {
    const id = call.clientRequestId ?? "nobody"
    lines.set(id, [...(lines.get(id) ?? []), call])
  }
  return lines
}

function checkOutcome({ error, receipt, answer }: Outcome, say: Say): void {
  if (answer === "wrong") say("the answer is not of its schema")
  if (error === undefined) {
    if (answer === "none" || receipt === undefined) say("neither an answer nor an error")
    return
  }
  const isOurs = P2Error.isInstance(error) && /^[a-z-]+$/.test(error.code)
  if (!isOurs || error.code === "unexpected") say(`an error of another kind: ${inspect(error)}`)
  else if (receipt === undefined && error.kind !== "usage") say(`no receipt for ${error.code}`)
}

function checkReceipt(outcome: Outcome, played: Played, lines: Map<string, BilledCall[]>, say: Say): void {
  const receipt = outcome.receipt as Receipt
  const { attempts, costNanoUsd } = receipt
  if (costNanoUsd !== sum(attempts.map((each) => each.costNanoUsd))) say("the receipt is not the sum of its attempts")
  if (attempts.some(({ costSource }) => costSource === "bound") !== (receipt.costSource === "bound"))
    say(`flagged ${receipt.costSource}`)
  let billed = 0
  for (const attempt of attempts) {
    const own = lines.get(attempt.id) ?? []
    if (own.length > 1) say(`attempt ${attempt.attempt} was sent ${own.length} times`)
    const truth = sum(own.map(({ nanoUsd }) => nanoUsd))
    billed += truth
    const what = (said: string) => say(`attempt ${attempt.attempt} (${attempt.status}, ${attempt.errorCode}) ${said}`)
    checkAttempt(attempt, own[0], truth, what)
    const isTroubled = played.stores.troubledSettles.has(attempt.id)
    if (attempt.settlement === "pending" && !isTroubled) what("is pending, and its settle was in no trouble")
    if (attempt.reservedNanoUsd > 0 && attempt.settlement === "none") what("was not settled")
  }
  const most = played.world.clients[outcome.client]!.request.maxBudgetNanoUsd ?? Number.POSITIVE_INFINITY
  if (costNanoUsd > most || billed > most) say(`${costNanoUsd} charged and ${billed} billed, above maxBudget ${most}`)
  const succeeded = attempts.filter(({ status }) => status === "succeeded").length
  if (succeeded !== (outcome.error === undefined ? 1 : 0)) say(`${succeeded} attempts succeeded`)
}

function checkAttempt(attempt: AttemptReceipt, line: BilledCall | undefined, truth: number, say: Say): void {
  const { costNanoUsd, costSource, reservedNanoUsd, status, usage } = attempt
  if (truth > reservedNanoUsd) say(`was billed ${truth}, above the ${reservedNanoUsd} set aside`)
  if (costNanoUsd < truth) say(`costs ${costNanoUsd}, less than the ${truth} billed`)
  if (costSource !== "bound" && costNanoUsd !== truth)
    say(`costs ${costNanoUsd} by ${costSource}, and was billed ${truth}`)
  if (costSource === "bound" && usage !== undefined) say("has a usage, and is charged its bound")
  if (costSource === "bound" && costNanoUsd !== reservedNanoUsd) say("is charged another bound than was set aside")
  if (costNanoUsd > reservedNanoUsd) say(`costs ${costNanoUsd}, above the ${reservedNanoUsd} set aside`)
  if (costSource === "none" && costNanoUsd !== 0) say("costs something, by nothing")
  if ((status === "denied" || status === "released") && line !== undefined) say("was sent")
  if (status === "succeeded" && line?.reported && costSource === "bound") say("is charged its bound, and was reported")
}

function checkLedger(played: Played, wrong: string[]): void {
  const all = [...played.entries.values()].flat()
  const byId = new Map(all.map((entry) => [entry.id, entry]))
  const corrected = new Map(
    played.audits.flatMap(({ receipt, reconciled }) =>
      reconciled.corrected.map(({ attempt, toNanoUsd }) => [receipt.attempts[attempt - 1]!.id, toNanoUsd]),
    ),
  )
  for (const attempt of attemptsOf(played)) {
    const entry = byId.get(attempt.id)
    byId.delete(attempt.id)
    if (entry === undefined) {
      if (attempt.reservedNanoUsd > 0) wrong.push(`attempt ${attempt.id} (${attempt.status}) is not in the ledger`)
    } else if (
      entry.costNanoUsd !== (corrected.get(attempt.id) ?? attempt.costNanoUsd) ||
      entry.status !== (attempt.status === "denied" ? "refused" : attempt.status)
    )
      wrong.push(
        `attempt ${attempt.id}: ${attempt.status} ${attempt.costNanoUsd}, in the ledger ${entry.status} ${entry.costNanoUsd}`,
      )
  }
  for (const { id, status, costNanoUsd } of byId.values())
    if (status !== "released" || costNanoUsd > 0) wrong.push(`the ledger has ${id}, which no receipt has`)
}

/** Every cell is charged what the entry says, in the cell's own unit. */
function checkCharges(played: Played, wrong: string[]): void {
  const usages = new Map(attemptsOf(played).map(({ id, usage }) => [id, usage]))
  for (const { id, status, charges, costNanoUsd } of [...played.entries.values()].flat()) {
    const usage = usages.get(id)
    const truth: Record<string, number | undefined> = {
      nanoUsd: costNanoUsd,
      tokens: usage === undefined ? undefined : usage.inputTokens + usage.outputTokens,
      requests: status === "released" || status === "refused" ? 0 : 1,
    }
    for (const [key, charge] of Object.entries(charges)) {
      const expected = truth[key.split("|")[1]!] ?? charge
      if (charge !== expected) wrong.push(`${id} (${status}) charged ${charge} to ${key}, and cost ${expected}`)
    }
  }
}

/** No cost is above what was set aside for it, so that nothing may stand above a limit when more is let in. */
function checkReserves({ stores }: Played, wrong: string[]): void {
  for (const { request, answer } of stores.reserves) {
    if (answer?.result !== "ok" || answer.replayed) continue
    for (const [index, { key, reserved, spent, granted }] of answer.cells.entries()) {
      const limit = request.cells[index]!.limit ?? Number.POSITIVE_INFINITY
      if (reserved + spent > limit + granted)
        wrong.push(
          `${request.root} ${key}: ${request.id} was let in, ${reserved} reserved and ${spent} spent of ${limit}`,
        )
    }
  }
}

/** As it was when all clients had been closed. */
function checkCells({ cellsAtClose, stores }: Played, wrong: string[]): void {
  for (const { root, key, reserved, spent } of cellsAtClose) {
    if (reserved !== 0) wrong.push(`${root} ${key}: ${reserved} stays reserved`)
    const asked = stores.reserves.flatMap(({ request }) => (request.root === root ? request.cells : []))
    const limits = asked.flatMap((cell) => (cell.key === key && cell.limit !== null ? [cell.limit] : []))
    if (limits.length > 0 && spent > Math.max(...limits)) wrong.push(`${root} ${key}: ${spent} spent of ${limits}`)
  }
}

/** At the very end: what was corrected is in the ledger and in the cells. */
function checkSums({ cells, entries }: Played, wrong: string[]): void {
  for (const { root, key, reserved, spent } of cells) {
    const charged = sum((entries.get(root) ?? []).map(({ charges }) => charges[key] ?? 0))
    if (charged !== spent) wrong.push(`${root} ${key}: ${spent} spent, ${charged} in the ledger`)
    if (reserved !== 0) wrong.push(`${root} ${key}: ${reserved} stays reserved after the end`)
  }
}

/** What the store sums up is what its entries come to. */
function checkTotals({ totals, entries }: Played, wrong: string[]): void {
  for (const [root, groups] of totals) {
    const all = entries.get(root) ?? []
    const grouped = sum(groups.map(({ attempts }) => attempts))
    if (grouped !== all.length) wrong.push(`${root}: ${grouped} attempts in the totals, ${all.length} in the ledger`)
    for (const { group, attempts, succeeded, tokens, costNanoUsd } of groups) {
      const own = all.filter(({ userId = null, model }) => userId === group[0] && model === group[1])
      const said = [attempts, succeeded, costNanoUsd, tokens.inputTokens ?? 0]
      const truth = [
        own.length,
        own.filter(({ status }) => status === "succeeded").length,
        sum(own.map((each) => each.costNanoUsd)),
        sum(own.map((each) => each.tokens.inputTokens ?? 0)),
      ]
      if (said.join() !== truth.join()) wrong.push(`${root} ${group}: ${said} in the totals, ${truth} in the ledger`)
    }
  }
}

/** Another client sees the same, and learns the truth where the provider tells it. */
function checkAudit({ receipt, details, reconciled, scopes }: Audit, lines: Map<string, BilledCall[]>, say: Say): void {
  if ((details?.costNanoUsd ?? 0) !== receipt.costNanoUsd)
    say(`${details?.costNanoUsd} in the statistics, ${receipt.costNanoUsd} on the receipt`)
  for (const { attempt, toNanoUsd } of reconciled.corrected) {
    const { id } = receipt.attempts[attempt - 1]!
    const truth = sum((lines.get(id) ?? []).map(({ nanoUsd }) => nanoUsd))
    if (truth !== toNanoUsd) say(`attempt ${attempt} was corrected to ${toNanoUsd}, and was billed ${truth}`)
  }
  for (const { scope, window, reserved, spent, limit } of scopes)
    if (reserved > 0 || spent > (limit ?? Number.POSITIVE_INFINITY))
      say(`${scope} ${window}: ${reserved} reserved and ${spent} spent of ${limit}`)
}

function checkSecrets({ outcomes, logged }: Played, wrong: string[]): void {
  const secret = /PromptSecret|AnswerSecret|kept-secret/
  for (const line of logged) if (secret.test(line)) wrong.push(`logged: ${line}`)
  for (const { error } of outcomes) {
    const shown = `${inspect(error, { depth: 12 })} ${JSON.stringify(error)}`
    if (secret.test(shown)) wrong.push(`an error quotes what is secret: ${shown}`)
  }
}
