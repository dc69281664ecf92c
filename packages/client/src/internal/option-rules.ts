import { checkNames, InvalidArgumentError, withoutText } from "@p2/core"
import { isRecord } from "./usage-from-wire"

/** What an option has to be; it may be absent unless it is `required`. */
export type Rule = [expected: string, fits: (value: unknown) => boolean, required?: true]

/** By the names of all options. */
export type Rules<Options> = Record<keyof Options, Rule>

/** A text of this form. */
export const matches = (form: RegExp) => (value: unknown) => typeof value === "string" && form.test(value)

/** Something with these methods. */
export const offers =
  (...methods: string[]) =>
  (value: unknown) =>
    methods.every((method) => typeof at(value, method) === "function")

/** One of these texts. */
export const oneOf = (...texts: string[]): Rule => [
  `one of "${texts.join('", "')}"`,
  (value) => texts.includes(value as string),
]

export const OBJECT: Rule = ["an object", isRecord]
export const BOOLEAN: Rule = ["true or false", (value) => typeof value === "boolean"]
export const TEXT: Rule = ["a text that is not empty", matches(/\S/)]
export const NAMES: Rule = ["a list of names", (value) => Array.isArray(value) && value.every(TEXT[1])]

/** Of an instance whose fetch may be another than Node's. */
export const ADDRESS: Rule = [
  "an http(s) address",
  (address) => matches(/^https?:\S+$/i)(address) && URL.canParse(address as string),
]

/** Node's fetch calls no address with a password in it. */
export const OPEN_ADDRESS: Rule = [
  'an http(s) address without a password, such as "https://api.openai.com/v1"',
  (address) => ADDRESS[1](address) && !matches(/^\w+:[\\/]*[^\\/?#]*@/)(address),
]

/** Throws the first mistake in an object of options. */
export function checkEach(options: object, rules: Record<string, Rule>, path: string): void {
  check(options, path, OBJECT)
  checkNames(options, new Set(Object.keys(rules)), path)
  for (const [name, rule] of Object.entries(rules)) {
    const value = at(options, name)
    if (value !== undefined || rule[2]) check(value, `${path}.${name}`, rule)
  }
}

/** Throws when a value is not what it has to be. A text that came is not shown: it may be a key, or the prompt. */
export function check(value: unknown, path: string, [expected, fits]: Rule): void {
  if (!fits(value)) throw new InvalidArgumentError(path, expected, withoutText(value))
}

/** What has this name; undefined where nothing can have one. */
export function at(holder: unknown, name: string): unknown {
  return (holder as Record<string, unknown> | null | undefined)?.[name]
}
