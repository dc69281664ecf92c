import type { Budget, Limit } from "@p2/budget"
import { LruMap } from "@p2/core"
import type { Authenticate, ProxyCaller } from "@p2/guard/proxy"
import type { ServeConfig } from "./config/config-schema"
import type { KeyLookup } from "./keys/key-lookup"
import { isKeyForm, type KeyRecord, limitsOf, subjectOf } from "./keys/virtual-key"

const MAX_BUDGETS = 10_000

/** Authenticates calls: the caller is the owner of a virtual key, or `anonymous` for other tokens if it is configured. */
export function authenticator(
  config: Pick<ServeConfig, "models" | "anonymous">,
  budget: Budget,
  keys: Pick<KeyLookup, "find">,
): Authenticate {
  const { models, anonymous } = config
  // One budget for each key, because the guard remembers denials by budget.
  const budgets = new LruMap<string, Budget>(MAX_BUDGETS)
  const callerOf = (record: KeyRecord): ProxyCaller => {
    const limits = limitsOf(record)
    const budgetOfKey = () => (limits.length === 0 ? budget : withLimits(budget, limits))
    return {
      subject: subjectOf(record),
      budget: budgets.getOrCreate(`${record.id} ${JSON.stringify(limits)}`, budgetOfKey),
      models: allowedModels(models, record.models),
    }
  }
  return async (token) => {
    if (token !== undefined && isKeyForm(token)) {
      const record = await keys.find(token)
      return record === undefined ? undefined : callerOf(record)
    }
    if (anonymous === undefined) return undefined
    const { user, client, tags } = anonymous
    return { subject: { userId: user, clientId: client, tags }, models }
  }
}

/** The models that both lists have; undefined: every model. */
function allowedModels(
  configured: readonly string[] | undefined,
  own: readonly string[] | undefined,
): readonly string[] | undefined {
  if (configured === undefined || own === undefined) return configured ?? own
  return own.filter((model) => configured.includes(model))
}

/** The same budget with limits of one key. */
function withLimits(budget: Budget, limits: readonly Limit[]): Budget {
  return Object.create(budget, {
    reserve: {
      value: (options: Parameters<Budget["reserve"]>[0]) =>
        budget.reserve({ ...options, limits: [...(options.limits ?? []), ...limits] }),
    },
  }) as Budget
}
