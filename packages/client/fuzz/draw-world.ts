import type { ChargeOptions, DoubtfulCharge } from "@p2/guard/charge"
import type { Fault } from "@p2/local-provider"
import fc from "fast-check"

/** The world that a seed determines, as plain data that a failure prints. */
export interface World {
  clients: ClientPlan[]
  /** One limit for each user and each client id; undefined: counted without a limit. */
  userBudgets: (BudgetPlan | undefined)[]
  clientBudgets: (BudgetPlan | undefined)[]
  /** The limits of a budget that is passed to the clients; undefined: they get a store. */
  own: OwnLimits | undefined
  store: StoreFault[]
  /** The store is used without faults. */
  bare: boolean
  /** Each client has its own store and budget over the same data, like clients in several processes. */
  apart: boolean
}

export interface BudgetPlan {
  nanoUsd: number
  per: "total" | "hour" | "day" | "week" | "month" | "3h"
}

export interface OwnLimits {
  totalNanoUsd: number | undefined
  teamTokens: number | undefined
  modelNanoUsd: number | undefined
  requestsAtMost: number | undefined
  /** Each team has its own partition. */
  partitionByTeam: boolean
  /** `short`: one second, which slow calls extend by heartbeats. `lost`: the store gets no heartbeat. */
  lease: "short" | "lost" | undefined
}

/** A fault of the store at its n-th call of a kind. */
export interface StoreFault {
  call: "reserve" | "settle"
  nth: number
  /**
   * `rejected`: not done, with an error that states this. `unknown`: not done, with an error that does not. `lost`:
   * done, the reply is lost. `late`: done after `ms`. `cut`: done while all connections break. `hang`: done while the
   * server does not reply for `ms`. A store without connections ignores the last two.
   */
  how: "rejected" | "unknown" | "lost" | "broken" | "late" | "cut" | "hang"
  ms: number
}

export type AnswerKind = "text" | "person" | "list" | "picky" | "waits" | "throws"

export interface RequestPlan {
  model: string
  fallbacks: string[]
  answer: AnswerKind
  maxTokens: number | undefined
  maxBudgetNanoUsd: number | undefined
  user: number | undefined
  client: number | undefined
  team: string | undefined
  retries: number
  repairs: number
  stream: boolean
  timeoutMs: number
  cachePrompt: boolean
  serviceTier: "flex" | "priority" | undefined
  system: string | undefined
  history: { maxTokens: number } | undefined
  onTruncated: "return" | "error" | undefined
  reasoningEffort: "low" | undefined
  extraCost: string | undefined
  extraBody: Record<string, unknown> | undefined
}

/** The part of a request that is drawn separately. */
type ChatPlan = Pick<
  RequestPlan,
  "system" | "history" | "onTruncated" | "reasoningEffort" | "extraCost" | "extraBody"
> & { isNative: boolean }

export interface ClientPlan {
  request: RequestPlan
  deadlineMs: number
  /** Connections to the provider of its own model are refused. */
  unreachable: boolean
  /** Passes its own OpenAI instance, which is configured to retry and may have its own fetch. */
  openai: "own" | "own fetch" | undefined
  recordContent: boolean
  /** What it is charged for calls in doubt; undefined: the upper bound. */
  charge: ChargeOptions | undefined
  /** All calls concurrently, or one after another. */
  atOnce: boolean
  calls: CallPlan[]
  /** Undefined: the model has no tools. */
  tools: ToolsPlan | undefined
  /** The calls are made in a run with this budget, every second one in a fork; undefined: by the client itself. */
  runNanoUsd: number | undefined
  /** How long its attempts wait for budget that other calls have reserved; undefined: they do not. */
  waitMs: number | undefined
  /** The calls are the items of a batch, without tools and run; undefined: they are separate calls. */
  batch: BatchPlan | undefined
}

export interface BatchPlan {
  concurrency: number
  maxBudgetNanoUsd: number | undefined
  /** It has an idempotency key, and is run again. */
  isNamed: boolean
  /** The number of answers after which its signal fires. */
  abortAfter: number | undefined
}

/** The tools of a client: `search`, and `ask` without `execute`. */
export interface ToolsPlan {
  maxSteps: number
  /** The maximum cost of a search, of which two thirds are charged; undefined: it is free. */
  costNanoUsd: number | undefined
  does: "returns" | "throws" | "waits" | "hangs"
  /** The tools that the model calls in the first message. */
  calls: ("search" | "ask" | "unknown" | "invalid")[]
}

export interface CallPlan {
  way: "generate" | "stream"
  /** The behavior of a stream's reader. */
  reader: { does: "reads" | "waits" | "leaves" | "leaves unread" | "cancels" | "throws"; after: number }
  abort: Abort | undefined
  /** Faults of the provider's calls for this request, in order. */
  faults: Fault[]
  image: boolean
}

/** The moment at which the caller's signal fires. */
export type Abort = { at: "start" | "reserve" | "received" | "content" | "settle" } | { afterMs: number }

const MODELS = [
  "openai/gpt-4o-mini",
  "openai/gpt-4.1-nano",
  "openai/gpt-4o",
  "openai/gpt-5-mini",
  "openrouter/openai/gpt-4o-mini",
  "openrouter/anthropic/claude-sonnet-4.5",
  "openrouter/google/gemini-2.5-flash",
]
const NATIVE = "anthropic/claude-haiku-4-5"
/** A model whose cost has no upper bound. */
const UNBOUNDED = "openrouter/openai/gpt-4o-mini:nitro"

/** Secrets that errors of the provider quote, and p2 must not show. */
export const KEY = "sk-kept-secret"
export const QUOTED = `Incorrect API key ${KEY}. You said: PromptSecret`
const ANSWER_SECRET = "AnswerSecret"

/** Undefined in most worlds. */
const rarely = <T>(arbitrary: fc.Arbitrary<T>, weight = 1) =>
  fc.oneof({ arbitrary: fc.constant(undefined), weight: 3 }, { arbitrary, weight })

/** A list in which every length is equally likely. */
const upTo = <T>(maxLength: number, arbitrary: fc.Arbitrary<T>, minLength = 0) =>
  fc.array(arbitrary, { minLength, maxLength, size: "max" })

/** From 0.03 cents (less than one call) to 3 dollars (more than all calls), with every power of ten equally likely. */
const money = fc.double({ min: 5.5, max: 9.5, noNaN: true }).map((power) => Math.round(10 ** power))

const maybeBudget = rarely(
  fc.record<BudgetPlan>({ nanoUsd: money, per: fc.constantFrom("total", "hour", "day", "week", "month", "3h") }),
  2,
)

const statusFault: fc.Arbitrary<Fault> = fc
  .tuple(
    fc.constantFrom(400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 529),
    fc.boolean(),
    rarely(fc.constantFrom("0", "1", "-5", "soon", "90000", new Date(0).toUTCString())),
  )
  .map(([status, billed, after]) => ({
    status,
    // A status that proves that nothing was generated is not billed.
    ...(billed && (status === 408 || status >= 500) ? { billed } : {}),
    ...(after === undefined ? {} : { headers: { "retry-after": after } }),
    error: { message: QUOTED, code: "local" },
  }))

const answerFault = fc.oneof<fc.Arbitrary<Fault>[]>(
  fc.constant({ wrongShape: true }),
  fc.constant({ invalidJson: true }),
  fc.constant({ fenced: true }),
  fc.constant({ empty: true }),
  fc.constant({ refusal: `I will not say ${ANSWER_SECRET}.` }),
  fc.constant({ answer: `{"name": "${ANSWER_SECRET}", "age": "old"` }),
  fc.constant({ answer: `{"name": "${ANSWER_SECRET}", "age": "old", "interests": []}` }),
  fc.constant({ noUsage: true }),
  fc.constant({ noFinishReason: true }),
  fc.record({ finishReason: fc.constantFrom("length", "content_filter", "error", "eos", "stop") }),
  fc.record({ rejectModes: fc.subarray(["json_schema", "tool", "json_object"] as const).map((modes) => [...modes]) }),
  fc.record({ cachedTokens: fc.nat(50), reasoningTokens: fc.nat(300) }),
)

const wireFault = fc.oneof<fc.Arbitrary<Fault>[]>(
  fc.record({ cut: fc.constantFrom("headers", "body", "stream"), afterChunks: fc.nat(6) }),
  fc.record({
    stall: fc.constantFrom("headers", "body", "stream"),
    afterChunks: fc.nat(6),
    keepAliveMs: rarely(fc.constant(10)),
  }),
  fc.record({ delayMs: fc.nat(40) }),
  fc.record({ chunkDelayMs: fc.nat(8) }),
  fc
    .tuple(fc.constantFrom<number | string>(400, 429, 502, "overloaded"), fc.boolean())
    .map(([code, billed]) => ({ errorInBody: { code, message: QUOTED }, billed })),
)

/** A rejected mode is not billed. */
function together(answer: Fault, wire: Fault): Fault {
  return { ...answer, ...wire, ...(answer.rejectModes === undefined ? {} : { billed: false }) }
}

const fault = fc.oneof(
  { arbitrary: fc.constant<Fault>({}), weight: 2 },
  { arbitrary: statusFault, weight: 3 },
  { arbitrary: answerFault, weight: 4 },
  { arbitrary: wireFault, weight: 3 },
  { arbitrary: fc.tuple(answerFault, wireFault).map(([a, b]) => together(a, b)), weight: 2 },
)

const abort = fc.oneof<fc.Arbitrary<Abort>[]>(
  fc.record({ at: fc.constantFrom("start", "reserve", "received", "received", "content", "content", "settle") }),
  fc.record({ afterMs: fc.nat(60) }),
)

const call = fc.record<CallPlan>({
  way: fc.constantFrom("generate", "stream"),
  reader: fc.record({
    does: fc.constantFrom("reads", "reads", "waits", "leaves", "leaves unread", "cancels", "throws"),
    after: fc.nat(4),
  }),
  abort: rarely(abort),
  faults: fc.oneof(fc.constant<Fault[]>([]), upTo(6, fault)),
  image: fc.nat(5).map((n) => n === 0),
})

const request = fc.record<Omit<RequestPlan, keyof ChatPlan>>({
  model: fc.constantFrom(...MODELS),
  fallbacks: fc.oneof(
    fc.constant<string[]>([]),
    fc.uniqueArray(fc.constantFrom(...MODELS, UNBOUNDED), { maxLength: 3 }),
  ),
  answer: fc.constantFrom("text", "person", "person", "list", "picky", "waits", "throws"),
  maxTokens: rarely(fc.constantFrom(1, 20, 150, 150, 500, 2_000), 3),
  maxBudgetNanoUsd: rarely(money),
  user: rarely(fc.nat(2), 9),
  client: rarely(fc.nat(1), 3),
  team: rarely(fc.constantFrom("red", "blue"), 3),
  retries: fc.nat(3),
  repairs: fc.nat(2),
  stream: fc.boolean(),
  timeoutMs: fc.oneof(fc.constant(1_500), fc.integer({ min: 1, max: 400 })),
  cachePrompt: fc.boolean(),
  serviceTier: rarely(fc.constantFrom("flex", "priority")),
})

const doubtfulCharge = fc.constantFrom<DoubtfulCharge | undefined>("bound", "input", "received", "nothing", undefined)

/** The plan of a client without the parts that are drawn separately. */
type DrawnClient = Omit<ClientPlan, "tools" | "runNanoUsd" | "waitMs" | "batch" | "request"> & {
  request: Omit<RequestPlan, keyof ChatPlan>
}

const client = fc.record<DrawnClient>({
  request,
  charge: rarely(fc.record<ChargeOptions>({ serverError: doubtfulCharge, abort: doubtfulCharge }), 2),
  deadlineMs: fc.integer({ min: 30, max: 150 }),
  unreachable: fc.nat(9).map((n) => n === 0),
  openai: rarely(fc.constantFrom("own", "own fetch")),
  recordContent: fc.boolean(),
  atOnce: fc.boolean(),
  calls: upTo(5, call, 1),
})

const storeFault = fc.record<StoreFault>({
  call: fc.constantFrom("reserve", "settle"),
  nth: fc.nat(12),
  how: fc.constantFrom("rejected", "unknown", "lost", "broken", "late", "cut", "hang"),
  // May exceed the timeout of the store.
  ms: fc.oneof({ arbitrary: fc.nat(50), weight: 4 }, { arbitrary: fc.constant(600), weight: 1 }),
})

const steps = fc.record<Pick<ClientPlan, "tools" | "runNanoUsd">>({
  tools: rarely(
    fc.record<ToolsPlan>({
      maxSteps: fc.integer({ min: 1, max: 4 }),
      costNanoUsd: rarely(money, 6),
      does: fc.constantFrom("returns", "returns", "throws", "waits", "hangs"),
      calls: upTo(4, fc.constantFrom("search", "search", "search", "ask", "unknown", "invalid"), 1),
    }),
    3,
  ),
  runNanoUsd: rarely(money, 2),
})

const chat = fc
  .record({
    isNative: fc.nat(4).map((n) => n === 3),
    system: rarely(fc.constant("You are terse.")),
    history: rarely(fc.record({ maxTokens: fc.integer({ min: 1, max: 200 }) })),
    onTruncated: rarely(fc.constantFrom("return", "error"), 3),
    reasoningEffort: rarely(fc.constant("low" as const)),
    extraCost: rarely(fc.constant("0")),
  })
  // A field that is in no table, so its cost must be stated.
  .map((plan): ChatPlan => ({ ...plan, extraBody: plan.extraCost === undefined ? undefined : { unheard_of: true } }))

const world = fc.record<Omit<World, "clients"> & { clients: DrawnClient[] }>({
  clients: upTo(4, client, 1),
  userBudgets: fc.array(maybeBudget, { minLength: 3, maxLength: 3 }),
  clientBudgets: fc.array(maybeBudget, { minLength: 2, maxLength: 2 }),
  own: rarely(
    fc.record<OwnLimits>({
      totalNanoUsd: rarely(money, 3),
      teamTokens: rarely(fc.integer({ min: 100, max: 100_000 }), 3),
      modelNanoUsd: rarely(money),
      requestsAtMost: rarely(fc.integer({ min: 1, max: 12 })),
      partitionByTeam: fc.boolean(),
      lease: rarely(fc.constantFrom("short", "lost", "lost")),
    }),
    2,
  ),
  store: fc.oneof(fc.constant<StoreFault[]>([]), upTo(5, storeFault)),
  bare: fc.boolean(),
  apart: fc.boolean(),
})

const waits = fc.record<Pick<ClientPlan, "waitMs" | "batch">>({
  waitMs: rarely(fc.constantFrom(20, 400), 2),
  batch: rarely(
    fc.record<BatchPlan>({
      concurrency: fc.integer({ min: 1, max: 4 }),
      maxBudgetNanoUsd: rarely(money),
      isNamed: fc.boolean(),
      abortAfter: rarely(fc.integer({ min: 1, max: 3 })),
    }),
  ),
})

/** The world of a seed. */
export function drawWorld(seed: number): World {
  const { clients, ...others } = fc.sample(world, { seed, numRuns: 1 })[0]!
  // Drawn separately, so that the rest of a world does not depend on them.
  const drawnSteps = fc.sample(steps, { seed, numRuns: clients.length })
  const drawnChats = fc.sample(chat, { seed, numRuns: clients.length })
  const drawnWaits = fc.sample(waits, { seed, numRuns: clients.length })
  const drawn = {
    ...others,
    clients: clients.map((plan, index) => ({
      ...plan,
      ...drawnSteps[index]!,
      ...drawnWaits[index]!,
      ...(drawnWaits[index]!.batch === undefined ? {} : { tools: undefined, runNanoUsd: undefined }),
      request: requestOf(plan.request, drawnSteps[index]!.tools === undefined ? drawnChats[index]! : PLAIN),
    })),
  }
  return drawn.own?.lease === undefined ? drawn : { ...drawn, clients: drawn.clients.map(slowed) }
}

/** For clients with tools, whose few worlds must show every way that a tool ends. */
const PLAIN: ChatPlan = {
  isNative: false,
  system: undefined,
  history: undefined,
  onTruncated: undefined,
  reasoningEffort: undefined,
  extraCost: undefined,
  extraBody: undefined,
}

/** Every fifth client without tools calls Anthropic by its Messages API. */
function requestOf(drawn: DrawnClient["request"], { isNative, ...plan }: ChatPlan): RequestPlan {
  return { ...drawn, ...plan, model: isNative ? NATIVE : drawn.model }
}

/** The first call takes longer than a short lease, and the caller waits for it. */
function slowed({ request, calls, ...plan }: ClientPlan): ClientPlan {
  const [first, ...rest] = calls as [CallPlan, ...CallPlan[]]
  const slowCall: CallPlan = {
    ...first,
    way: "generate",
    abort: undefined,
    faults: [{ delayMs: 1_200 }, ...first.faults],
  }
  return { ...plan, request: { ...request, stream: false, timeoutMs: 3_000 }, calls: [slowCall, ...rest] }
}

/** The world of a seed with the clients of `more` other worlds. Each client has its own store, like in several processes. */
export function drawCombinedWorld(seed: number, more: number): World {
  const others = Array.from({ length: more }, (_, index) => drawWorld(seed + (index + 1) * SEED_DISTANCE))
  const first = drawWorld(seed)
  return { ...first, clients: [first, ...others].flatMap(({ clients }) => clients), apart: true }
}

/** Distance between the seeds of two clients, so that consecutive seeds share no clients. */
const SEED_DISTANCE = 1_000_003
