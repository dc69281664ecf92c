import { inspect } from "node:util"
import { P2Error } from "@p2/core"
import type { BilledCall } from "@p2/local-provider"
import type { AttemptReceipt, Receipt, ToolReceipt } from "../src/index"
import type { Audit, Outcome, PlayedWorld } from "./play-world"

const sum = (values: Iterable<number>): number => [...values].reduce((total, value) => total + value, 0)

/** Describes the guarantees that were broken; empty if all hold. */
export function checkWorld(played: PlayedWorld): string[] {
  const problems: string[] = []
  const lines = linesById(played)
  for (const outcome of played.outcomes) {
    const report = (what: string) => void problems.push(`call ${outcome.client}.${outcome.call}: ${what}`)
    checkOutcome(outcome, report)
    if (outcome.receipt !== undefined) checkReceipt(outcome, played, lines, report)
  }
  const ids = new Set(attemptsOf(played).map(({ id }) => id))
  for (const id of lines.keys())
    if (!ids.has(id)) problems.push(`the provider was called for ${id}, which no receipt has`)
  checkLedger(played, problems)
  checkCharges(played, problems)
  checkReserves(played, problems)
  checkCounters(played, problems)
  checkSums(played, problems)
  checkTotals(played, problems)
  checkRuns(played, problems)
  checkBatches(played, problems)
  for (const audit of played.audits)
    checkAudit(audit, lines, (what) => problems.push(`audit of ${audit.receipt.requestId}: ${what}`))
  checkSecrets(played, problems)
  for (const error of played.unhandled) problems.push(`unhandled: ${inspect(error)}`)
  if (played.pendingAtClose > 0)
    problems.push(`${played.pendingAtClose} settlements are pending after all clients were closed`)
  return problems
}

type Report = (what: string) => void

function attemptsOf({ outcomes }: PlayedWorld): AttemptReceipt[] {
  return outcomes.flatMap(({ receipt }) => receipt?.attempts ?? [])
}

function toolCallsOf({ outcomes }: PlayedWorld): ToolReceipt[] {
  return outcomes.flatMap(({ receipt }) => receipt?.toolCalls ?? [])
}

function linesById({ provider }: PlayedWorld): Map<string, BilledCall[]> {
  const lines = new Map<string, BilledCall[]>()
  for (const call of provider.ledger.calls) {
    const id = call.clientRequestId ?? "nobody"
    lines.set(id, [...(lines.get(id) ?? []), call])
  }
  return lines
}

function checkOutcome({ error, receipt, answer }: Outcome, report: Report): void {
  if (answer === "invalid") report("the answer does not match its schema")
  if (error === undefined) {
    if (answer === "none" || receipt === undefined) report("neither an answer nor an error")
    return
  }
  const isOurs = P2Error.isInstance(error) && /^[a-z-]+$/.test(error.code)
  if (!isOurs || error.code === "unexpected") report(`an error of another kind: ${inspect(error)}`)
  else if (receipt === undefined && error.kind !== "usage") report(`no receipt for ${error.code}`)
}

function checkReceipt(outcome: Outcome, played: PlayedWorld, lines: Map<string, BilledCall[]>, report: Report): void {
  const receipt = outcome.receipt as Receipt
  const { attempts, toolCalls, costNanoUsd } = receipt
  const charged = [...attempts, ...toolCalls]
  if (costNanoUsd !== sum(charged.map((each) => each.costNanoUsd)))
    report("the receipt is not the sum of its attempts and tool calls")
  if (charged.some(({ costSource }) => costSource === "bound") !== (receipt.costSource === "bound"))
    report(`has the cost source ${receipt.costSource}`)
  for (const call of toolCalls) checkToolCall(call, outcome, played, report)
  let billed = 0
  for (const attempt of attempts) {
    const own = lines.get(attempt.id) ?? []
    if (own.length > 1) report(`attempt ${attempt.attempt} was sent ${own.length} times`)
    const billedNanoUsd = sum(own.map(({ nanoUsd }) => nanoUsd))
    billed += billedNanoUsd
    const reportAttempt = (problem: string) =>
      report(`attempt ${attempt.attempt} (${attempt.status}, ${attempt.errorCode}) ${problem}`)
    checkAttempt(attempt, own[0], billedNanoUsd, chargesBound(played, outcome, attempt), reportAttempt)
    const isFaulty = played.stores.faultySettles.has(attempt.id)
    if (attempt.settlement === "pending" && !isFaulty) reportAttempt("is pending, and its settle met no fault")
    if (attempt.reservedNanoUsd > 0 && attempt.settlement === "none") reportAttempt("was not settled")
  }
  const max = played.world.clients[outcome.client]!.request.maxBudgetNanoUsd ?? Number.POSITIVE_INFINITY
  const isBounded = attempts.every((attempt) => chargesBound(played, outcome, attempt))
  if (costNanoUsd > max || (isBounded && billed > max))
    report(`${costNanoUsd} charged and ${billed} billed, above maxBudget ${max}`)
  checkSteps(outcome, played, report)
}

/** One attempt of each step succeeds, except in the last step of a request that failed. */
function checkSteps({ client, error, receipt }: Outcome, { world }: PlayedWorld, report: Report): void {
  const { attempts } = receipt as Receipt
  const { maxSteps } = world.clients[client]!.tools ?? { maxSteps: 1 }
  const last = attempts.at(-1)?.step ?? 1
  if (last > maxSteps) report(`${last} steps of at most ${maxSteps}`)
  for (let step = 1; step <= last; step++) {
    const succeeded = attempts.filter((each) => each.step === step && each.status === "succeeded").length
    // A tool may end the request after its step has succeeded.
    const most = step < last || error === undefined || maxSteps > 1 ? 1 : 0
    const least = step < last || error === undefined ? 1 : 0
    if (succeeded < least || succeeded > most) report(`${succeeded} attempts of step ${step} succeeded`)
  }
}

/** A paid call costs two thirds of its maximum, or the maximum in doubt, or nothing if it did not run. */
function checkToolCall(call: ToolReceipt, { client }: Outcome, { world, stores }: PlayedWorld, report: Report): void {
  const { status, costNanoUsd, costSource, reservedNanoUsd, inDoubt, settlement } = call
  const max = world.clients[client]!.tools?.costNanoUsd ?? 0
  const isRun = status === "succeeded" || status === "failed"
  const expected = !isRun ? 0 : status === "failed" ? max : Math.floor((max * 2) / 3)
  const isPaid = isRun && max > 0
  if (costNanoUsd !== expected)
    report(`the tool call ${call.id} (${status}) costs ${costNanoUsd} instead of ${expected}`)
  if (reservedNanoUsd !== (isPaid ? max : 0)) report(`the tool call ${call.id} reserved ${reservedNanoUsd} of ${max}`)
  if (inDoubt !== (isPaid && status === "failed")) report(`the tool call ${call.id} (${status}) has a wrong doubt`)
  const source = !isPaid ? "none" : status === "failed" ? "bound" : "custom"
  if (costSource !== source) report(`the tool call ${call.id} (${status}) has the cost source ${costSource}`)
  if (settlement === "pending" && !stores.faultySettles.has(call.id))
    report(`the tool call ${call.id} is pending, and its settle met no fault`)
  if ((settlement === "none") === isPaid)
    report(`the tool call ${call.id} (${status}) has the settlement ${settlement}`)
}

/** A run costs the sum of its calls, and never exceeds its budget. */
function checkRuns({ runs, outcomes, world }: PlayedWorld, problems: string[]): void {
  for (const { client, receipt } of runs) {
    const receipts = outcomes.flatMap((each) => (each.client === client && each.receipt ? [each.receipt] : []))
    const cost = sum(receipts.map(({ costNanoUsd }) => costNanoUsd))
    const max = world.clients[client]!.runNanoUsd!
    if (receipt.costNanoUsd !== cost || receipt.requests.length !== receipts.length)
      problems.push(`run of client ${client}: ${receipt.costNanoUsd} on its receipt, ${cost} on those of its calls`)
    if (cost > max || receipt.remainingNanoUsd !== max - cost)
      problems.push(`run of client ${client}: ${cost} charged of ${max}, ${receipt.remainingNanoUsd} remaining`)
  }
}

/** A batch never exceeds its budget, and a second run does not pay for the same answer again. */
function checkBatches({ batchProblems, outcomes, world }: PlayedWorld, problems: string[]): void {
  problems.push(...batchProblems)
  for (const [client, { batch }] of world.clients.entries()) {
    const own = outcomes.filter((outcome) => outcome.client === client)
    const cost = sum(own.map(({ receipt }) => receipt?.costNanoUsd ?? 0))
    const max = batch?.maxBudgetNanoUsd ?? Number.POSITIVE_INFINITY
    if (cost > max) problems.push(`batch of client ${client}: ${cost} charged of ${max}`)
  }
}

/** Whether an attempt is charged its upper bound if its cost is in doubt, and so at least what is billed. */
function chargesBound({ world }: PlayedWorld, { client }: Outcome, { inDoubt }: AttemptReceipt): boolean {
  const { serverError = "bound", abort = "bound" } = world.clients[client]!.charge ?? {}
  return !inDoubt || (serverError === "bound" && abort === "bound")
}

function checkAttempt(
  attempt: AttemptReceipt,
  line: BilledCall | undefined,
  billed: number,
  isBounded: boolean,
  report: Report,
): void {
  const { costNanoUsd, costSource, reservedNanoUsd, status, usage, inDoubt } = attempt
  if (billed > reservedNanoUsd) report(`was billed ${billed}, above the ${reservedNanoUsd} reserved`)
  if (isBounded && costNanoUsd < billed) report(`costs ${costNanoUsd}, less than the ${billed} billed`)
  if (!inDoubt && costNanoUsd !== billed) report(`costs ${costNanoUsd} by ${costSource}, and was billed ${billed}`)
  if (inDoubt && usage !== undefined) report("has a usage, and is in doubt")
  if (costSource === "bound" && !inDoubt) report("is charged a bound, and is not in doubt")
  if (inDoubt && isBounded && costNanoUsd !== reservedNanoUsd) report("is charged another amount than was reserved")
  if (costNanoUsd > reservedNanoUsd) report(`costs ${costNanoUsd}, above the ${reservedNanoUsd} reserved`)
  if (costSource === "none" && costNanoUsd !== 0) report("has a cost without a source")
  if ((status === "denied" || status === "released") && line !== undefined) report("was sent")
  if (status === "succeeded" && line?.reported && inDoubt) report("is in doubt, and its usage was reported")
}

function checkLedger(played: PlayedWorld, problems: string[]): void {
  const all = [...played.entries.values()].flat()
  const byKey = new Map(all.map((entry) => [entry.idempotencyKey, entry]))
  const corrected = new Map(
    played.audits.flatMap(({ receipt, reconciled }) =>
      reconciled.corrected.map(({ attempt, toNanoUsd }) => [receipt.attempts[attempt - 1]!.id, toNanoUsd]),
    ),
  )
  for (const attempt of attemptsOf(played)) {
    const entry = byKey.get(attempt.id)
    byKey.delete(attempt.id)
    if (entry === undefined) {
      if (attempt.reservedNanoUsd > 0) problems.push(`attempt ${attempt.id} (${attempt.status}) is not in the ledger`)
    } else if (
      entry.costNanoUsd !== (corrected.get(attempt.id) ?? attempt.costNanoUsd) ||
      entry.status !== attempt.status ||
      (entry.inDoubt ?? false) !== (attempt.inDoubt && !corrected.has(attempt.id))
    )
      problems.push(
        `attempt ${attempt.id}: ${attempt.status} ${attempt.costNanoUsd}, in the ledger ${entry.status} ${entry.costNanoUsd}`,
      )
  }
  for (const { id, status, costNanoUsd, inDoubt, reservedNanoUsd } of toolCallsOf(played)) {
    const entry = byKey.get(id)
    byKey.delete(id)
    if (entry === undefined && reservedNanoUsd > 0) problems.push(`tool call ${id} (${status}) is not in the ledger`)
    if (entry === undefined || entry.status === "released") continue
    if (entry.costNanoUsd !== costNanoUsd || entry.status !== status || (entry.inDoubt ?? false) !== inDoubt)
      problems.push(`tool call ${id}: ${status} ${costNanoUsd}, in the ledger ${entry.status} ${entry.costNanoUsd}`)
  }
  let denied = 0
  for (const { idempotencyKey, status, costNanoUsd, count = 1 } of byKey.values())
    if (status === "denied" && costNanoUsd === 0) denied += count
    else if (status !== "released" || costNanoUsd > 0)
      problems.push(`the ledger has ${idempotencyKey}, which no receipt has`)
  const deniedRequests = played.outcomes.filter(({ receipt }) => isDenied(receipt)).length
  // A batch repeats an item that was denied while others had reserved the budget, and returns only the last receipt.
  const isAgain = played.world.clients.some(({ batch }) => batch !== undefined) && denied > deniedRequests
  if (denied !== deniedRequests && !isAgain)
    problems.push(`${deniedRequests} requests were denied, ${denied} in the ledger`)
}

/** Whether a request was denied before anything was sent. */
function isDenied(receipt: Receipt | undefined): boolean {
  const attempts = receipt?.attempts ?? []
  return attempts.length > 0 && attempts.every(({ status }) => status === "denied")
}

/** The charge of every counter is the usage of the entry, in the unit of the counter. */
function checkCharges(played: PlayedWorld, problems: string[]): void {
  const usages = new Map(attemptsOf(played).map(({ id, usage }) => [id, usage]))
  const tools = new Set(toolCallsOf(played).map(({ id }) => id))
  for (const { idempotencyKey: id, status, charges, costNanoUsd } of [...played.entries.values()].flat()) {
    const usage = usages.get(id)
    const isTool = tools.has(id)
    const costs: Record<string, number | undefined> = {
      usd: costNanoUsd,
      tok: isTool ? 0 : usage === undefined ? undefined : usage.inputTokens + usage.outputTokens,
      req: isTool || status === "released" || status === "denied" ? 0 : 1,
    }
    for (const [name, charge] of Object.entries(charges)) {
      const expected = costs[name.split("|")[1]!] ?? charge
      if (charge !== expected) problems.push(`${id} (${status}) charged ${charge} to ${name}, and cost ${expected}`)
    }
  }
}

/** No cost exceeds its reservation, so no counter may exceed its limit when another call is admitted. */
function checkReserves({ stores }: PlayedWorld, problems: string[]): void {
  for (const { request, reply } of stores.reserves) {
    if (reply?.status !== "ok" || reply.replayed) continue
    for (const [index, { name, reserved, spent, granted }] of reply.counters.entries()) {
      const limit = request.counters[index]!.limit ?? Number.POSITIVE_INFINITY
      if (reserved + spent > limit + granted)
        problems.push(
          `${request.partition} ${name}: ${request.key} was admitted, ${reserved} reserved and ${spent} spent of ${limit}`,
        )
    }
  }
}

/** The state after all clients were closed. */
function checkCounters({ countersAtClose, stores }: PlayedWorld, problems: string[]): void {
  for (const { partition, name, reserved, spent } of countersAtClose) {
    if (reserved !== 0) problems.push(`${partition} ${name}: ${reserved} remains reserved`)
    const counters = stores.reserves.flatMap(({ request }) => (request.partition === partition ? request.counters : []))
    const limits = counters.flatMap((counter) =>
      counter.name === name && counter.limit !== null ? [counter.limit] : [],
    )
    if (limits.length > 0 && spent > Math.max(...limits))
      problems.push(`${partition} ${name}: ${spent} spent of ${limits}`)
  }
}

/** The state at the end: corrections are in the ledger and in the counters. */
function checkSums({ counters, entries }: PlayedWorld, problems: string[]): void {
  for (const { partition, name, reserved, spent } of counters) {
    const charged = sum((entries.get(partition) ?? []).map(({ charges }) => charges[name] ?? 0))
    if (charged !== spent) problems.push(`${partition} ${name}: ${spent} spent, ${charged} in the ledger`)
    if (reserved !== 0) problems.push(`${partition} ${name}: ${reserved} remains reserved after the end`)
  }
}

/** The totals of the store are the sums of its entries. */
function checkTotals({ totals, entries }: PlayedWorld, problems: string[]): void {
  for (const [partition, groups] of totals) {
    const all = entries.get(partition) ?? []
    const grouped = sum(groups.map(({ attempts }) => attempts))
    const recorded = sum(all.map(({ count = 1 }) => count))
    if (grouped !== recorded)
      problems.push(`${partition}: ${grouped} attempts in the totals, ${recorded} in the ledger`)
    for (const { group, attempts, succeeded, tokens, costNanoUsd } of groups) {
      const own = all.filter(({ userId = null, model }) => userId === group[0] && model === group[1])
      const reported = [attempts, succeeded, costNanoUsd, tokens.inputTokens ?? 0]
      const summed = [
        sum(own.map(({ count = 1 }) => count)),
        own.filter(({ status }) => status === "succeeded").length,
        sum(own.map((each) => each.costNanoUsd)),
        sum(own.map((each) => each.tokens.inputTokens ?? 0)),
      ]
      if (reported.join() !== summed.join())
        problems.push(`${partition} ${group}: ${reported} in the totals, ${summed} in the ledger`)
    }
  }
}

/** Another client reads the same state, and corrects costs to what the provider reports. */
function checkAudit(
  { receipt, details, reconciled, scopes }: Audit,
  lines: Map<string, BilledCall[]>,
  report: Report,
): void {
  if ((details?.costNanoUsd ?? 0) !== receipt.costNanoUsd)
    report(`${details?.costNanoUsd} in the statistics, ${receipt.costNanoUsd} on the receipt`)
  for (const { attempt, toNanoUsd } of reconciled.corrected) {
    const { id } = receipt.attempts[attempt - 1]!
    const billed = sum((lines.get(id) ?? []).map(({ nanoUsd }) => nanoUsd))
    if (billed !== toNanoUsd) report(`attempt ${attempt} was corrected to ${toNanoUsd}, and was billed ${billed}`)
  }
  for (const { scope, window, reserved, spent, limit } of scopes)
    if (reserved > 0 || spent > (limit ?? Number.POSITIVE_INFINITY))
      report(`${scope} ${window}: ${reserved} reserved and ${spent} spent of ${limit}`)
}

function checkSecrets({ outcomes, logged }: PlayedWorld, problems: string[]): void {
  const secret = /PromptSecret|AnswerSecret|kept-secret/
  for (const line of logged) if (secret.test(line)) problems.push(`logged: ${line}`)
  for (const { error } of outcomes) {
    const shown = `${inspect(error, { depth: 12 })} ${JSON.stringify(error)}`
    if (secret.test(shown)) problems.push(`an error shows a secret: ${shown}`)
  }
}
