import { describeModelId, InvalidArgumentError } from "./errors"

/** A model id taken apart. `provider/vendor/name-date:suffix`; all but the name may be absent. */
export interface ModelId {
  /** The id as it was written. */
  id: string
  /** The first segment when there are several: who is called, such as `openrouter` or `anthropic`. */
  provider?: string | undefined
  /** Everything between the provider and the suffix: what the provider is asked for, such as `openai/gpt-4o-mini-2024-07-18`. */
  name: string
  /** `name` without the real calendar date at its end, when there is one. */
  undated?: string | undefined
  /** What follows the last colon, such as `online` or `free`. Only where the provider uses colons for variants. */
  suffix?: string | undefined
}

const ID = /^[A-Za-z0-9@~][A-Za-z0-9._:/@+~-]{0,199}$/
const DATE = /^(.+)[-@](20[2-9]\d)-?(\d\d)-?(\d\d)$/

/**
 * Takes a model id apart by its form alone; whether the model exists is for the tables to say.
 *
 * The first segment is the provider: `gpt-4o-mini` has none, `openrouter/openai/gpt-4o` has `openrouter`.
 * @throws InvalidArgumentError when the id is empty, longer than 200 characters or has characters no provider uses.
 */
export function parseModelId(id: string): ModelId {
  if (typeof id !== "string" || !ID.test(id) || /\/[/:]|[/:]$/.test(id)) throw invalidModelId(id)
  const slash = id.indexOf("/")
  const provider = slash === -1 ? undefined : id.slice(0, slash)
  const rest = id.slice(slash + 1)
  const colon = provider === "openrouter" ? rest.lastIndexOf(":") : -1
  const name = colon === -1 ? rest : rest.slice(0, colon)
  return {
    id,
    provider,
    name,
    undated: withoutDate(name),
    suffix: colon === -1 ? undefined : rest.slice(colon + 1),
  }
}

/** The name without one real calendar date at its end (`-2024-07-18`, `-20240718`, `@20240718`), else undefined. */
export function withoutDate(name: string): string | undefined {
  const [, undated, ...parts] = DATE.exec(name) ?? []
  const date = parts.join("-")
  // A day that its month does not have is no date, or one of the next month.
  return undated !== undefined && new Date(date).toJSON()?.startsWith(date) ? undated : undefined
}

function invalidModelId(id: unknown): InvalidArgumentError {
  const expected = 'a model id such as "gpt-4o-mini" or "openrouter/openai/gpt-4o-mini"'
  const message = `Invalid \`model\`: expected ${expected}, got ${describeModelId(id)}.`
  return new InvalidArgumentError("model", expected, id, message)
}
