import { checkOptions, hideString, InvalidArgumentError, isRecord, type OptionAdvice } from "@p2/core"

/** The expected value of an option. An option may be absent unless it is `required`. */
export type OptionRule = [expected: string, fits: (value: unknown) => boolean, required?: true]

/** One rule for each option. */
export type OptionRules<Options> = Record<keyof Options, OptionRule>

/** Fits strings that match the pattern. */
export const matches = (pattern: RegExp) => (value: unknown) => typeof value === "string" && pattern.test(value)

/** Fits objects with these methods. */
export const hasMethods =
  (...methods: string[]) =>
  (value: unknown) =>
    methods.every((method) => typeof field(value, method) === "function")

export const oneOf = (...values: string[]): OptionRule => [
  `one of "${values.join('", "')}"`,
  (value) => values.includes(value as string),
]

export const OBJECT: OptionRule = ["an object", isRecord]
export const BOOLEAN: OptionRule = ["true or false", (value) => typeof value === "boolean"]
export const NON_EMPTY: OptionRule = ["a non-empty string", matches(/\S/)]
export const NON_EMPTY_LIST: OptionRule = [
  "an array of non-empty strings",
  (value) => Array.isArray(value) && value.every(NON_EMPTY[1]),
]

/** For an OpenAI instance, whose fetch may not be Node's. */
export const ANY_HTTP_URL: OptionRule = [
  "an http(s) URL",
  (url) => matches(/^https?:\S+$/i)(url) && URL.canParse(url as string),
]

/** Node's fetch rejects URLs with a password. */
export const HTTP_URL: OptionRule = [
  'an http(s) URL without a password and without the path of a call, such as "https://api.openai.com/v1"',
  (url) => ANY_HTTP_URL[1](url) && !matches(/^\w+:[\\/]*[^\\/?#]*@|\/(chat\/completions|messages|responses)\/?$/)(url),
]

/** @throws InvalidArgumentError for an unknown option, or the first value that breaks its rule. */
export function checkEach(
  options: object,
  rules: Record<string, OptionRule>,
  path: string,
  advice?: OptionAdvice,
): void {
  checkOption(options, path, OBJECT)
  checkOptions(options, new Set(Object.keys(rules)), path, advice)
  for (const [name, rule] of Object.entries(rules)) {
    const value = field(options, name)
    if (value !== undefined || rule[2]) checkOption(value, `${path}.${name}`, rule)
  }
}

/** @throws InvalidArgumentError when a value breaks a rule. Strings are not shown: they may be a key or the prompt. */
export function checkOption(value: unknown, path: string, [expected, fits]: OptionRule): void {
  if (!fits(value)) throw new InvalidArgumentError(path, expected, hideString(value))
}

/** A field of any value; undefined if the value has no fields. */
export function field(holder: unknown, name: string): unknown {
  return (holder as Record<string, unknown> | null | undefined)?.[name]
}
