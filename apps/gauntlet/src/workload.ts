/** How the provider treats one attempt of a call. `billed` says whether it bills the attempt. */
export const ATTEMPTS = {
  answered: { billed: true },
  /** Status 500 after the answer was generated. */
  billedError: { billed: true },
  overloaded: { billed: false },
  rateLimited: { billed: false },
  /** The connection closes in the middle of the answer. */
  cut: { billed: true },
  /** The answer is generated and never sent: the caller aborts, or its process is killed. */
  stalled: { billed: true },
} as const

export type AttemptKind = keyof typeof ATTEMPTS

/** One call of the workload. Everything about it comes from the seed. */
export interface Call {
  id: number
  prompt: string
  /** What the provider answers. */
  answer: string
  maxTokens: number
  isStream: boolean
  /** Streams only: the reader stops after this many chunks. */
  leaveAfterChunks: number | undefined
  abortAfterMs: number | undefined
  /** Time between the previous call in the same lane and this one. */
  pauseMs: number
  delayMs: number
  /** One for each attempt; attempts beyond these are answered. */
  attempts: readonly AttemptKind[]
}

export interface Workload {
  /**
   * Calls before the crash. None is aborted or abandoned, so that charges for aborts do not hide the cost of retries.
   */
  before: readonly Call[]
  /** Calls that are in flight when their process is killed. */
  crash: readonly Call[]
  after: readonly Call[]
}

const CRASHING = 6
const WORDS = "the of a river stone quiet morning letter under bright window seven paper garden north lamp".split(" ")
/** Text that has many tokens for its length. */
const DENSE = ["東京の朝", "Привет, мир", "🜁🜂🜃🜄", "ﷺ", "x̷̛y̸z̶"]

/** A workload of `calls` calls. The same seed gives the same calls, faults and crash. */
export function createWorkload({ seed, calls }: { seed: number; calls: number }): Workload {
  const random = generator(seed)
  const first = Math.floor(calls * 0.3)
  const all = Array.from({ length: calls }, (_, index) => createCall(index + 1, index >= first, random))
  const crash = all.slice(first, first + CRASHING).map((call): Call => {
    return { ...call, isStream: false, leaveAfterChunks: undefined, abortAfterMs: undefined, attempts: ["stalled"] }
  })
  return { before: all.slice(0, first), crash, after: all.slice(first + CRASHING) }
}

function createCall(id: number, mayEndEarly: boolean, random: () => number): Call {
  const between = (low: number, high: number) => low + Math.floor(random() * (high - low + 1))
  const text = (words: number) =>
    Array.from({ length: words }, () => (random() < 0.05 ? pick(DENSE, random) : pick(WORDS, random))).join(" ")
  const isStream = random() < 0.3
  const isAborted = !isStream && mayEndEarly && random() < 0.06
  const isLeft = isStream && mayEndEarly && random() < 0.15
  // Most answers are short, a few reach the limit of the call.
  const answerWords = random() < 0.1 ? between(300, 500) : between(20, 250)
  return {
    id,
    prompt: `[call ${id}] ${text(between(20, 300))}`,
    answer: text(answerWords),
    maxTokens: pick([300, 400, 600], random),
    isStream,
    leaveAfterChunks: isLeft ? between(1, 5) : undefined,
    abortAfterMs: isAborted ? between(100, 200) : undefined,
    pauseMs: between(0, 30),
    delayMs: between(10, 120),
    attempts: isAborted ? ["stalled"] : attemptsOf(isStream, random),
  }
}

function attemptsOf(isStream: boolean, random: () => number): AttemptKind[] {
  const attempts: AttemptKind[] = []
  for (let attempt = 1; attempt <= 3; attempt++) {
    const value = random()
    const kind =
      value < 0.08
        ? "billedError"
        : value < 0.11
          ? "overloaded"
          : value < 0.14
            ? "rateLimited"
            : value < 0.16
              ? "cut"
              : "answered"
    attempts.push(kind)
    if (kind === "answered" || (kind === "cut" && isStream)) break
  }
  return attempts
}

function pick<T>(values: readonly T[], random: () => number): T {
  return values[Math.floor(random() * values.length)]!
}

/** Mulberry32: numbers in [0, 1) from a seed. */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
