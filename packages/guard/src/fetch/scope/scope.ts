import { type Budget, createBudget, memoryStore, type Subject } from "@p2/budget"
import { checkOptions, InvalidArgumentError } from "@p2/core"
import { asyncLocalStorage } from "../../transport/counted-call"
import { keepInScope } from "./scoped-value"

/** Options of {@link withBudget}: at least one of them. */
export interface ScopeOptions {
  /**
   * Replaces the budget of every guarded `fetch` inside. Pass a child (`budget.child({ limit })`) so that the limits of
   * the whole budget still apply. The `limit` of every surrounding scope applies to it too.
   * @defaultValue the budget of the surrounding scope, else that of the guard
   */
  budget?: Budget | undefined
  /**
   * One more limit, for everything that is spent inside: dollars such as `"0.50"`, or `{ usd, tokens, requests }`. Each
   * store counts it separately: calls inside that use budgets of two stores can each spend it.
   */
  limit?: Parameters<Budget["child"]>[0]["limit"] | undefined
  /** Completes the subject of the guard and of the surrounding scope, and overrides their fields. Tags are merged. */
  subject?: Subject | undefined
}

/** What one `withBudget` adds to the scopes around it. */
interface Scope extends ScopeOptions {
  /** Identifies the counter of `limit`. */
  id: string
  outer: Scope | undefined
}

interface ScopeStorage {
  run<T>(scope: Scope, fn: () => T): T
  getStore(): Scope | undefined
}

export const SUBJECT_NAMES: ReadonlySet<string> = new Set(["requestId", "userId", "clientId", "model", "tags"])
const SCOPE_NAMES: ReadonlySet<string> = new Set(["budget", "limit", "subject"])

const ADVICE = {
  maxBudget: "Did you mean `limit`?",
  user: "Did you mean `subject: { userId }`?",
  userId: "Did you mean `subject: { userId }`?",
}

/** One storage per process: the ESM and the CommonJS copy of this package share it. */
const STORAGE = Symbol.for("@p2/guard/scope")
const shared = globalThis as { [STORAGE]?: ScopeStorage }

/**
 * Runs a function in a scope: every guarded `fetch` that is called inside, at any depth and after any `await`, spends the
 * scope's budget. Scopes nest; a `limit` of an outer scope also holds inside the inner one. A stream that was requested
 * inside is settled in its scope wherever it is read. If the function returns a generator, an asynchronous iterable, a
 * `ReadableStream`, a `Response`, or a promise of one, the code that produces its values runs in the scope too.
 *
 * A scope limits only calls that go through a guarded `fetch`: without one, nothing is limited and nothing is reported.
 *
 * @throws InvalidArgumentError if an option is invalid, and in a runtime without AsyncLocalStorage
 *
 * @example
 * await withBudget({ limit: "0.50", subject: { userId } }, () => agent.run(task))
 */
export function withBudget<T>(options: ScopeOptions, fn: () => T): T {
  if (typeof options !== "object" || typeof (options as Partial<Budget> | null)?.reserve === "function")
    throw new InvalidArgumentError("options", 'an object such as { limit: "0.50" } or { budget }', options)
  checkOptions(options, SCOPE_NAMES, "options", ADVICE)
  const { budget, limit, subject } = options
  if (typeof fn !== "function") throw new InvalidArgumentError("fn", "a function, such as () => agent.run(task)", fn)
  if (budget === undefined && limit === undefined && subject === undefined)
    throw new InvalidArgumentError("options", "at least one of `budget`, `limit` and `subject`", options)
  if (budget !== undefined && typeof budget?.reserve !== "function")
    throw new InvalidArgumentError("budget", "a budget from `createBudget`", budget)
  if (subject !== undefined) checkOptions(subject, SUBJECT_NAMES, "subject")
  if (limit !== undefined) checkLimit(limit)
  const storage = openStorage()
  const scope: Scope = { id: crypto.randomUUID(), budget, limit, subject, outer: storage.getStore() }
  const run = <R>(step: () => R): R => storage.run(scope, step)
  return keepInScope(run(fn), run)
}

let limitCheck: Budget | undefined

/** A limit that a budget would reject when a call is made is rejected immediately. */
function checkLimit(limit: NonNullable<ScopeOptions["limit"]>): void {
  limitCheck ??= createBudget({ store: memoryStore(), limits: [] })
  limitCheck.child({ limit })
}

/** The budget and the subject of a call that is made now: those of the guard, as the scopes around the call change them. */
export function inCurrentScope(
  budget: Budget,
  subject: Subject | undefined,
): { budget: Budget; subject: Subject | undefined } {
  const innermost = shared[STORAGE]?.getStore()
  return innermost === undefined ? { budget, subject } : applyScopes(innermost, budget, subject)
}

function applyScopes(
  innermost: Scope,
  budget: Budget,
  subject: Subject | undefined,
): ReturnType<typeof inCurrentScope> {
  const scopes: Scope[] = []
  for (let scope: Scope | undefined = innermost; scope !== undefined; scope = scope.outer) scopes.unshift(scope)
  const replacing = scopes.findLast((scope) => scope.budget !== undefined)?.budget
  return {
    // A scope replaces the budget, never the limits around it. A child with the same id has the same counter.
    budget: scopes.reduce(
      (limited, { limit, id }) => (limit === undefined ? limited : limited.child({ limit, id })),
      replacing ?? budget,
    ),
    subject: scopes.reduce((merged, scope) => mergeSubjects(merged, scope.subject), subject),
  }
}

/** The fields of both; those of `inner` win. */
export function mergeSubjects(outer: Subject | undefined, inner: Subject | undefined): Subject | undefined {
  if (outer === undefined || inner === undefined) return inner ?? outer
  const given = Object.fromEntries(Object.entries(inner).filter(([, value]) => value !== undefined))
  const tags = outer.tags === undefined && inner.tags === undefined ? {} : { tags: { ...outer.tags, ...inner.tags } }
  return { ...outer, ...given, ...tags }
}

function openStorage(): ScopeStorage {
  const existing = shared[STORAGE]
  if (existing !== undefined) return existing
  const Storage = asyncLocalStorage<ScopeStorage>()
  if (Storage === undefined)
    throw new InvalidArgumentError(
      "options",
      "a runtime with AsyncLocalStorage",
      undefined,
      "`withBudget` needs AsyncLocalStorage: Node 20.16 or later, Bun, Deno, or Cloudflare Workers with nodejs_compat. Elsewhere pass `budget` and `subject` to `guardFetch`.",
    )
  const storage = new Storage()
  shared[STORAGE] = storage
  return storage
}
