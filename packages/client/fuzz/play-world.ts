import {
  type Budget,
  type BudgetStore,
  createBudget,
  type Limit,
  type StoredEntry,
  type Subject,
  type UsageTotals,
} from "@p2/budget"
import { formatUsd, P2Error } from "@p2/core"
import { type LocalProvider, refusedURL, startLocalProvider } from "@p2/local-provider"
import { findPrice } from "@p2/pricing"
import { OpenAI } from "openai"
import { z } from "zod"
import {
  type AnswerStream,
  LLMClient,
  type LLMClientOptions,
  type Receipt,
  type Reconciliation,
  type RequestRecord,
  type RunReceipt,
  type ScopeInfo,
  type ToolContext,
  type ToolSet,
  tool,
} from "../src/index"
import {
  type AnswerKind,
  type BudgetPlan,
  type CallPlan,
  type ClientPlan,
  KEY,
  type ToolsPlan,
  type World,
} from "./draw-world"
import { type FaultyStores, faultyStores } from "./faulty-store"
import { playBatch } from "./play-batch"
import { type PartitionCounter, readCounters, readEntries, readTotals } from "./read-store"
import type { StoreKind, WorldStore } from "./world-stores"

/** How one call ended, as its caller saw it. */
export interface Outcome {
  client: number
  call: number
  receipt: Receipt | undefined
  error: unknown
  /** Whether there is an answer, and whether it matches its schema; `calls`: the model called tools instead. */
  answer: "none" | "valid" | "invalid" | "calls"
}

/** The receipt of a client's run after all its calls. */
export interface RunOutcome {
  client: number
  receipt: RunReceipt
}

/** The code of the error, `answered`, or the message of an error without a code. */
export function outcomeCode({ error }: Outcome): string {
  if (error === undefined) return "answered"
  return P2Error.isInstance(error) ? error.code : String(error)
}

/** A world after its end. */
export interface PlayedWorld {
  world: World
  outcomes: Outcome[]
  runs: RunOutcome[]
  /** Problems of the second runs of batches. */
  batchProblems: string[]
  stores: FaultyStores
  provider: LocalProvider
  /** Log messages and warnings. */
  logged: string[]
  unhandled: unknown[]
  /** After all clients were closed. */
  countersAtClose: PartitionCounter[]
  /** At the end, by partition. */
  entries: Map<string, readonly StoredEntry[]>
  totals: Map<string, UsageTotals[]>
  counters: PartitionCounter[]
  pendingAtClose: number
  audits: Audit[]
}

/** What another client of the same store reports about a request. */
export interface Audit {
  receipt: Receipt
  details: RequestRecord | undefined
  reconciled: Reconciliation
  scopes: ScopeInfo[]
}

const Person = z.object({ name: z.string(), age: z.number().int(), interests: z.array(z.string()) })

/** Schemas by kind; the last three run the user's code. */
const SCHEMAS: Record<Exclude<AnswerKind, "text">, z.ZodType> = {
  person: Person,
  list: z.array(z.string()),
  picky: Person.refine(({ interests }) => interests.length > 2, "more interests"),
  waits: Person.refine(async ({ age }) => {
    await new Promise((resolve) => setTimeout(resolve, 10))
    return age % 3 > 0
  }, "another age"),
  throws: Person.refine(({ age }) => {
    if (age % 2 === 0) throw new Error("The check is broken.")
    return true
  }),
}

const PIXEL =
  "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

/** Identifies the call in its prompt; the last mark of a conversation counts. */
const mark = (client: number, call: number) => `PromptSecret-${client}.${call}!`
const MARK = /PromptSecret-(\d+\.\d+)!/g

/** Plays a world on a store of the kind, and closes what it opened. */
export async function playWorld(world: World, kind: StoreKind): Promise<PlayedWorld> {
  const unhandled: unknown[] = []
  const onUnhandled = (error: unknown) => void unhandled.push(error)
  process.on("unhandledRejection", onUnhandled)
  const provider = await startLocalProvider({ apiKey: KEY })
  const refused = `${await refusedURL()}/v1`
  Object.assign(process.env, {
    OPENAI_API_KEY: KEY,
    OPENROUTER_API_KEY: KEY,
    ANTHROPIC_API_KEY: KEY,
    ANTHROPIC_BASE_URL: provider.anthropicBaseURL,
    OPENAI_BASE_URL: provider.baseURL,
    OPENROUTER_BASE_URL: provider.openRouterBaseURL,
  })
  const data = await kind.open()
  const run = new WorldRun(world, provider, refused, data)
  const sweeper = startSweeper(world, run.partitions, data)
  try {
    const outcomes = (await Promise.all(world.clients.map((plan, index) => run.play(plan, index)))).flat()
    const { stores, logged, partitions } = run
    const { pending: pendingAtClose } = run
    const countersAtClose = await readCounters(data.reader, partitions, stores.reserves)
    await stores.stopFaults()
    const audits = await Promise.all(world.clients.map((plan, client) => run.audit(plan, client, outcomes)))
    await run.close()
    const entries = await readEntries(data.reader, partitions)
    const totals = await readTotals(data.reader, partitions)
    const counters = await readCounters(data.reader, partitions, stores.reserves)
    await provider.close()
    // Node has reported unhandled rejections by then.
    await new Promise((resolve) => setTimeout(resolve, 1))
    return {
      world,
      outcomes,
      runs: run.runs,
      batchProblems: run.batchProblems,
      audits: audits.flat(),
      provider,
      unhandled,
      countersAtClose,
      pendingAtClose,
      entries,
      totals,
      counters,
      stores,
      logged,
    }
  } finally {
    await sweeper?.stop()
    await data.close()
    process.off("unhandledRejection", onUnhandled)
  }
}

/** Expires leases, as other processes would. */
function startSweeper(
  { own }: World,
  partitions: readonly string[],
  data: WorldStore,
): { stop(): Promise<void> } | undefined {
  if (own?.lease === undefined) return undefined
  const budget = createBudget({ store: data.another(), limits: [], partition: partitionOf })
  const sweep = () => {
    for (const team of partitions) budget.sweep({ subject: { tags: { team } } }).catch(() => {})
  }
  const timer = setInterval(sweep, 50)
  return {
    async stop() {
      clearInterval(timer)
      await budget.close({ keepStore: true })
    },
  }
}

function partitionOf({ tags }: Subject): string {
  return tags?.team ?? "main"
}

class WorldRun {
  readonly logged: string[] = []
  readonly runs: RunOutcome[] = []
  readonly batchProblems: string[] = []
  readonly stores: FaultyStores
  readonly partitions: string[]
  readonly #world: World
  readonly #data: WorldStore
  /** Budgets that are passed to clients, by store. */
  readonly #budgets = new Map<BudgetStore, Budget>()
  readonly #provider: LocalProvider
  readonly #refused: string
  /** Called when the provider receives a request of a call, by its mark. */
  readonly #listeners = new Map<string, (event: "received") => void>()
  /** Called before each call of the store. */
  readonly #storeListeners = new Set<(event: "reserve" | "settle") => void>()

  constructor(world: World, provider: LocalProvider, refused: string, data: WorldStore) {
    this.#world = world
    this.#data = data
    this.#provider = provider
    this.#refused = refused
    this.partitions = world.own?.partitionByTeam ? ["red", "blue", "main"] : ["main"]
    this.stores = faultyStores(world, data, (call) => {
      for (const listener of this.#storeListeners) listener(call)
    })
    for (const [client, plan] of world.clients.entries())
      for (const [call, each] of plan.calls.entries()) this.#script(provider, `${client}.${call}`, each, plan.tools)
  }

  /** Sets the faults of the provider's calls for one request, in order. */
  #script(provider: LocalProvider, name: string, { faults: planned }: CallPlan, tools: ToolsPlan | undefined): void {
    const [first = {}, ...others] = planned
    const faults = tools === undefined ? planned : [{ toolCalls: tools.calls.map(toolCall), ...first }, ...others]
    let next = 0
    for (let index = 0; index <= faults.length; index++) {
      const matches = ({ body }: { body: Record<string, unknown> }) => {
        const [, last] = [...JSON.stringify(body.messages).matchAll(MARK)].at(-1) ?? []
        if (last !== name || next !== Math.min(index, faults.length)) return false
        if (index < faults.length) next++
        this.#listeners.get(name)?.("received")
        return true
      }
      provider.faults.always(faults[index] ?? {}, matches)
    }
  }

  /** Settlements that are still pending. */
  get pending(): number {
    return [...this.#budgets.values()].reduce((total, { pending }) => total + pending, 0)
  }

  async close(): Promise<void> {
    for (const budget of this.#budgets.values()) await budget.close({ keepStore: true })
  }

  /** The store or budget of a client. */
  #storeOptions(client: number): Pick<LLMClientOptions, "store" | "budget"> {
    const { own, bare, apart } = this.#world
    // Clients of a process share a store by its address, and close it.
    if (own === undefined && bare && !apart && this.#data.address !== undefined) return { store: this.#data.address }
    const store = this.stores.of(client)
    if (own === undefined) return { store }
    const budget = this.#budgets.get(store) ?? this.#budgetOver(store, own)
    this.#budgets.set(store, budget)
    return { budget }
  }

  #budgetOver(store: BudgetStore, own: NonNullable<World["own"]>): Budget {
    const { totalNanoUsd, teamTokens, modelNanoUsd, requestsAtMost, partitionByTeam, lease } = own
    const limits: Limit[] = []
    if (totalNanoUsd !== undefined) limits.push({ scope: "total", limit: { nanoUsd: totalNanoUsd } })
    if (teamTokens !== undefined)
      limits.push({ scope: { tag: "team" }, limit: { tokens: teamTokens }, per: "1h", optional: true })
    if (modelNanoUsd !== undefined) limits.push({ scope: "model", limit: { nanoUsd: modelNanoUsd }, per: "day" })
    if (requestsAtMost !== undefined) limits.push({ scope: "total", limit: { requests: requestsAtMost }, per: "day" })
    return createBudget({
      store,
      limits,
      leaseMs: lease === undefined ? undefined : 1_000,
      ...(partitionByTeam ? { partition: partitionOf } : {}),
      onWarning: (message, cause) => void this.logged.push(message, String(cause)),
    })
  }

  async play(plan: ClientPlan, index: number): Promise<Outcome[]> {
    let client: LLMClient<unknown, ToolSet | undefined>
    try {
      client = new LLMClient<unknown, ToolSet | undefined>(this.#requestOf(plan), {
        ...this.#optionsOf(plan, index),
        ...toolOptions(plan.tools),
      })
    } catch (error) {
      return [{ client: index, call: 0, receipt: undefined, error, answer: "none" }]
    }
    if (plan.batch !== undefined) return this.#playBatch(plan, index, client as LLMClient<unknown>)
    const outcomes: Promise<Outcome>[] = []
    const { runNanoUsd } = plan
    const run = runNanoUsd === undefined ? undefined : client.run({ maxBudget: formatUsd(runNanoUsd) })
    for (const [number, call] of plan.calls.entries()) {
      const caller = run === undefined ? client : number % 2 === 0 ? run : run.fork()
      const playing = this.#call(caller, plan, { client: index, call: number }, call)
      outcomes.push(playing)
      if (!plan.atOnce) await playing
    }
    const ended = await Promise.all(outcomes)
    if (run !== undefined) this.runs.push({ client: index, receipt: await run.finish() })
    await client.close()
    return ended
  }

  /** The calls of a client as the items of a batch. */
  async #playBatch(plan: ClientPlan, client: number, first: LLMClient<unknown>): Promise<Outcome[]> {
    const second = new LLMClient<unknown>(this.#requestOf(plan), this.#optionsOf(plan, client))
    const prompts = plan.calls.map((_, call) => `Describe who is David Copperfield. ${mark(client, call)}`)
    const { results, error, problems } = await playBatch(plan.batch!, `batch ${client}`, prompts, [first, second])
    await Promise.all([first.close(), second.close()])
    this.batchProblems.push(...problems)
    const outcomes = results.map(async (result): Promise<Outcome> => {
      const { index: call, receipt } = result
      if (result.status === "failed") return { client, call, receipt, error: result.error, answer: "none" }
      const answer = await checkAnswer(plan.request.answer, result.answer)
      return { client, call, receipt, error: undefined, answer }
    })
    const isUsage = P2Error.isInstance(error) && error.kind === "usage"
    const thrown = isUsage ? [{ client, call: 0, receipt: undefined, error, answer: "none" } as const] : []
    return [...(await Promise.all(outcomes)), ...thrown]
  }

  /** Reads the requests of a client with a new client, and reconciles them. */
  async audit(plan: ClientPlan, client: number, outcomes: readonly Outcome[]): Promise<Audit[]> {
    const receipts = outcomes.flatMap((each) => (each.client === client && each.receipt ? [each.receipt] : []))
    if (receipts.length === 0) return []
    const options = this.#optionsOf({ ...plan, unreachable: false }, client)
    const auditor = new LLMClient<unknown>(this.#requestOf(plan), options)
    const audits: Audit[] = []
    for (const receipt of receipts) {
      const { requestId } = receipt
      const details = await auditor.usageTracker.getRequestDetails(requestId)
      const reconciled = await auditor.reconcile(requestId)
      const { scopes } = await auditor.getBudgetInfo()
      audits.push({ receipt, details, reconciled, scopes })
    }
    await auditor.close()
    return audits
  }

  #requestOf({ request }: ClientPlan) {
    const { answer, user, client, team, maxBudgetNanoUsd, serviceTier, ...same } = request
    const { userBudgets, clientBudgets } = this.#world
    return {
      ...same,
      // A tier without a listed price is a usage error.
      serviceTier: findPrice(request.model, { serviceTier }) === undefined ? undefined : serviceTier,
      answerModel: answer === "text" ? undefined : SCHEMAS[answer],
      maxBudget: maxBudgetNanoUsd === undefined ? undefined : formatUsd(maxBudgetNanoUsd),
      tags: team === undefined ? undefined : { team },
      ...(user === undefined ? {} : { userId: `user${user}`, userBudget: inputOf(userBudgets[user]) }),
      ...(client === undefined ? {} : { clientId: `client${client}`, clientBudget: inputOf(clientBudgets[client]) }),
    }
  }

  #optionsOf(plan: ClientPlan, client: number): LLMClientOptions {
    const { request, deadlineMs, unreachable, openai, recordContent, charge } = plan
    const address = unreachable ? this.#refused : this.#addressOf(request.model)
    const log = (message: string, fields: unknown) => void this.logged.push(message, JSON.stringify(fields))
    return {
      ...this.#storeOptions(client),
      ...(unreachable && openai === undefined ? { baseURL: address } : {}),
      ...(openai === undefined ? {} : { openai: instanceOf(address, openai) }),
      recordContent,
      charge,
      ...(plan.waitMs === undefined ? {} : { wait: { timeoutMs: plan.waitMs } }),
      deadlines: { connectMs: 2_000, firstContentMs: deadlineMs, idleMs: deadlineMs },
      logger: { debug: log, info: log, warn: log, error: log },
      clock: { now: Date.now, random: () => 0.5, sleep: async () => {} },
    }
  }

  #addressOf(model: string): string {
    const { baseURL, openRouterBaseURL, anthropicBaseURL } = this.#provider
    if (model.startsWith("anthropic/")) return `${anthropicBaseURL}/v1`
    return model.startsWith("openrouter/") ? openRouterBaseURL : baseURL
  }

  async #call(
    client: Pick<LLMClient<unknown, ToolSet | undefined>, "msg" | "generate" | "stream">,
    plan: ClientPlan,
    place: Pick<Outcome, "client" | "call">,
    call: CallPlan,
  ): Promise<Outcome> {
    const name = `${place.client}.${place.call}`
    if (call.image) client.msg.addMessageImage(PIXEL, { detail: "low" })
    client.msg.addMessageUser(`Describe who is David Copperfield. ${mark(place.client, place.call)}`)
    const controller = new AbortController()
    const { abort, way } = call
    const onEvent = (event: string) => {
      if (abort !== undefined && "at" in abort && abort.at === event) controller.abort()
    }
    onEvent("start")
    const timer = abort !== undefined && "afterMs" in abort ? setTimeout(() => controller.abort(), abort.afterMs) : null
    this.#listeners.set(name, onEvent)
    this.#storeListeners.add(onEvent)
    const { signal } = controller
    let answer: unknown
    let isCalls = false
    let [receipt, error]: [Receipt | undefined, unknown] = [undefined, undefined]
    try {
      const result =
        way === "stream"
          ? { ok: true as const, ...(await read(client.stream({ signal }), call, () => onEvent("content"))) }
          : await client.generate({ signal })
      receipt = result.receipt
      if (!result.ok) error = result.error
      else if (result.finishReason === "tool-calls") {
        isCalls = true
        for (const { id } of result.toolCalls) client.msg.addToolResult(id, "a result")
      } else answer = result.answer
    } catch (thrown) {
      error = thrown
      if (P2Error.isInstance(thrown)) receipt = (thrown as { receipt?: Receipt }).receipt
    }
    if (timer !== null) clearTimeout(timer)
    this.#listeners.delete(name)
    this.#storeListeners.delete(onEvent)
    return {
      ...place,
      receipt,
      error,
      answer: error !== undefined ? "none" : isCalls ? "calls" : await checkAnswer(plan.request.answer, answer),
    }
  }
}

/** What a tool throws, which the model sees and no log. */
const TOOL_ERROR = "AnswerSecret: no such page."

function toolOptions(plan: ToolsPlan | undefined): Pick<LLMClientOptions<ToolSet>, "tools" | "maxSteps"> {
  if (plan === undefined) return {}
  const { does, costNanoUsd, maxSteps } = plan
  const execute = async (_input: unknown, { signal }: ToolContext) => {
    if (does === "throws") throw new Error(TOOL_ERROR)
    if (does === "waits") await new Promise((resolve) => setTimeout(resolve, 20))
    // A tool may ignore the signal.
    if (does === "hangs") await new Promise((resolve) => signal.addEventListener("abort", resolve))
    return { pages: 2 }
  }
  const actual = ({ pages }: { pages: number }) => formatUsd(Math.floor(((costNanoUsd ?? 0) * pages) / 3))
  const cost = costNanoUsd === undefined ? undefined : { max: formatUsd(costNanoUsd), actual }
  const parameters = z.object({ query: z.string() })
  return { maxSteps, tools: { search: tool({ parameters, execute, cost }), ask: tool({ parameters }) } }
}

function toolCall(kind: ToolsPlan["calls"][number]) {
  if (kind === "unknown") return { name: "unknown", arguments: {} }
  if (kind === "invalid") return { name: "search", arguments: { query: 3 } }
  return { name: kind, arguments: { query: "David Copperfield" } }
}

function instanceOf(baseURL: string, kind: NonNullable<ClientPlan["openai"]>): OpenAI {
  const own = kind === "own fetch" ? { fetch: (...args: Parameters<typeof fetch>) => fetch(...args) } : {}
  return new OpenAI({ baseURL, apiKey: KEY, maxRetries: 3, ...own })
}

function inputOf(plan: BudgetPlan | undefined) {
  return plan === undefined ? undefined : { limit: formatUsd(plan.nanoUsd), per: plan.per }
}

async function checkAnswer(kind: AnswerKind, answer: unknown): Promise<Outcome["answer"]> {
  if (kind === "text") return typeof answer === "string" && answer !== "" ? "valid" : "invalid"
  return (await SCHEMAS[kind].safeParseAsync(answer)).success ? "valid" : "invalid"
}

/** Reads a stream according to the plan. */
async function read(stream: AnswerStream<unknown, ToolSet | undefined>, { reader }: CallPlan, onContent: () => void) {
  const { does, after } = reader
  if (does === "leaves unread") await stream[Symbol.asyncIterator]().return?.()
  if (does === "reads" || does === "leaves" || does === "cancels" || does === "throws") {
    let seen = 0
    try {
      for await (const _partial of stream) {
        onContent()
        if (seen++ < after || does === "reads") continue
        if (does === "leaves") break
        if (does === "cancels") stream.cancel()
        if (does === "throws") throw new Error("The reader is broken.")
      }
    } catch {
      // The reader's own error, or the same error as `result`.
    }
  }
  return stream.result
}
