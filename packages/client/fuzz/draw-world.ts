import type { Fault } from "@p2/local-provider"
import fc from "fast-check"

/** Everything that one seed decides. Plain data, so that a failure can be printed whole. */
export interface World {
  clients: ClientPlan[]
  /** One limit for each user and for each client id; undefined: counted only. */
  userBudgets: (BudgetPlan | undefined)[]
  clientBudgets: (BudgetPlan | undefined)[]
  /** The limits of a budget of one's own; undefined: the clients share a bare store. */
  own: OwnLimits | undefined
  store: StoreTrouble[]
  /** The store itself, which cannot be in trouble. */
  bare: boolean
  /** Each client has a store, and a budget, of its own over the same data, as clients of several processes have. */
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
  /** Spreads the requests over as many roots as there are teams. */
  rootByTeam: boolean
  /** `short`: a second, which slow calls outlive by their heartbeats. `lost`: the store hears none of them. */
  lease: "short" | "lost" | undefined
}

/** What the store suffers at its n-th call of a kind. */
export interface StoreTrouble {
  call: "reserve" | "settle"
  nth: number
  /**
   * `refused`: not done, and says so. `unknown`: not done. `lost`: done, not told. `late`: after `ms`. `cut`: done while
   * every connection breaks. `hang`: done while the server answers nobody for `ms`. Where there is none, just done.
   */
  how: "refused" | "unknown" | "lost" | "broken" | "late" | "cut" | "hang"
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
}

export interface ClientPlan {
  request: RequestPlan
  deadlineMs: number
  /** Its own model is at an address where nobody listens. */
  unreachable: boolean
  /** An instance of one's own that would retry, perhaps with a fetch of one's own. */
  openai: "own" | "own fetch" | undefined
  recordContent: boolean
  /** All calls at once, or one turn of the conversation after the other. */
  atOnce: boolean
  calls: CallPlan[]
}

export interface CallPlan {
  way: "generate" | "stream"
  /** What a reader of a stream does. */
  reader: { does: "reads" | "waits" | "leaves" | "leaves unread" | "cancels" | "throws"; after: number }
  abort: Abort | undefined
  /** Of the provider's calls for this request, in order. */
  faults: Fault[]
  image: boolean
}

/** When the caller's signal fires. */
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
/** Its price has no bound. */
const UNBOUNDED = "openrouter/openai/gpt-4o-mini:nitro"

/** What an error of the provider quotes and no text of ours may. */
export const KEY = "sk-kept-secret"
export const QUOTED = `Incorrect API key ${KEY}. You said: PromptSecret`
const SAID = "AnswerSecret"

/** Mostly nothing. */
const rarely = <T>(arbitrary: fc.Arbitrary<T>, weight = 1) =>
  fc.oneof({ arbitrary: fc.constant(undefined), weight: 3 }, { arbitrary, weight })

/** Any length is as likely. */
const upTo = <T>(maxLength: number, arbitrary: fc.Arbitrary<T>, minLength = 0) =>
  fc.array(arbitrary, { minLength, maxLength, size: "max" })

/** From what no call fits in to what they all do: three hundredths of a cent to three dollars, each power of ten as likely. */
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
    // A provider that says that it generated nothing does not bill it.
    ...(billed && (status === 408 || status >= 500) ? { billed } : {}),
    ...(after === undefined ? {} : { headers: { "retry-after": after } }),
    error: { message: QUOTED, code: "local" },
  }))

const answerFault = fc.oneof<fc.Arbitrary<Fault>[]>(
  fc.constant({ wrongShape: true }),
  fc.constant({ invalidJson: true }),
  fc.constant({ fenced: true }),
  fc.constant({ empty: true }),
  fc.constant({ refusal: `I will not say ${SAID}.` }),
  fc.constant({ answer: `{"name": "${SAID}", "age": "old"` }),
  fc.constant({ answer: `{"name": "${SAID}", "age": "old", "interests": []}` }),
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

/** A mode that is refused is not billed, whatever else happens. */
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

const request = fc.record<RequestPlan>({
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

const client = fc.record<ClientPlan>({
  request,
  deadlineMs: fc.integer({ min: 30, max: 150 }),
  unreachable: fc.nat(9).map((n) => n === 0),
  openai: rarely(fc.constantFrom("own", "own fetch")),
  recordContent: fc.boolean(),
  atOnce: fc.boolean(),
  calls: upTo(5, call, 1),
})

const trouble = fc.record<StoreTrouble>({
  call: fc.constantFrom("reserve", "settle"),
  nth: fc.nat(12),
  how: fc.constantFrom("refused", "unknown", "lost", "broken", "late", "cut", "hang"),
  // Longer than the store may take, now and then.
  ms: fc.oneof({ arbitrary: fc.nat(50), weight: 4 }, { arbitrary: fc.constant(600), weight: 1 }),
})

const world = fc.record<World>({
  clients: upTo(4, client, 1),
  userBudgets: fc.array(maybeBudget, { minLength: 3, maxLength: 3 }),
  clientBudgets: fc.array(maybeBudget, { minLength: 2, maxLength: 2 }),
  own: rarely(
    fc.record<OwnLimits>({
      totalNanoUsd: rarely(money, 3),
      teamTokens: rarely(fc.integer({ min: 100, max: 100_000 }), 3),
      modelNanoUsd: rarely(money),
      requestsAtMost: rarely(fc.integer({ min: 1, max: 12 })),
      rootByTeam: fc.boolean(),
      lease: rarely(fc.constantFrom("short", "lost", "lost")),
    }),
    2,
  ),
  store: fc.oneof(fc.constant<StoreTrouble[]>([]), upTo(5, trouble)),
  bare: fc.boolean(),
  apart: fc.boolean(),
})

/** The world of a seed. */
export function drawWorld(seed: number): World {
  const drawn = fc.sample(world, { seed, numRuns: 1 })[0]!
  return drawn.own?.lease === undefined ? drawn : { ...drawn, clients: drawn.clients.map(slow) }
}

/** The provider takes longer for the first call than a short lease, and the caller waits for it. */
function slow({ request, calls, ...plan }: ClientPlan): ClientPlan {
  const [first, ...rest] = calls as [CallPlan, ...CallPlan[]]
  const slowed: CallPlan = {
    ...first,
    way: "generate",
    abort: undefined,
    faults: [{ delayMs: 1_200 }, ...first.faults],
  }
  return { ...plan, request: { ...request, stream: false, timeoutMs: 3_000 }, calls: [slowed, ...rest] }
}

/** The world of a seed with the clients of so many more, each with a store of its own, as processes have. */
export function drawCrowd(seed: number, more: number): World {
  const others = Array.from({ length: more }, (_, index) => drawWorld(seed + (index + 1) * APART))
  const first = drawWorld(seed)
  return { ...first, clients: [first, ...others].flatMap(({ clients }) => clients), apart: true }
}

/** Seeds that follow each other share no clients. */
const APART = 1_000_003
