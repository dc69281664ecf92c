import { readFile } from "node:fs/promises"
import { dirname, isAbsolute, join } from "node:path"
import { createBudget, type Limit, memoryStore } from "@p2/budget"
import { describeName, describeValue, hideString, InvalidArgumentError, nearestIds, plural } from "@p2/core"
import { type ParseError, parse, printParseErrorCode } from "jsonc-parser"
import type { z } from "zod"
import { readStoreAddress } from "../../store/store-address"
import { limitsOf, subjectOf } from "../keys/virtual-key"
import { configKeys } from "./config-keys"
import { FIELDS, type ServeConfig, serveConfig } from "./config-schema"
import { missingScope } from "./missing-scope"

/** Reads and checks a configuration: JSON with comments. @throws InvalidArgumentError, which names the place and the remedy */
export async function readConfig(path: string): Promise<ServeConfig> {
  let source: string
  try {
    source = await readFile(path, "utf8")
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw configError(
      path,
      code === "ENOENT" ? "The file does not exist. `p2 init` writes one." : `The file cannot be read (${code}).`,
    )
  }
  return parseConfig(source, path)
}

/** @param path for messages, and the base of a relative store path */
export function parseConfig(source: string, path: string): ServeConfig {
  const errors: ParseError[] = []
  const value: unknown = parse(source, errors, { allowTrailingComma: true })
  const [first] = errors
  if (first !== undefined)
    throw configError(path, `Invalid JSON at ${placeOf(source, first.offset)} (${printParseErrorCode(first.error)}).`)
  rejectSecrets(value, path)
  const result = serveConfig.safeParse(value)
  if (!result.success) throw configError(path, describeIssues(result.error.issues, value))
  const config = result.data
  checkRules(config, path)
  if (config.store === undefined) return config
  return { ...config, store: storeIn(config.store, path) }
}

/** The error of a configuration. */
export function configError(path: string, problem: string): InvalidArgumentError {
  return new InvalidArgumentError("config", "a valid configuration", undefined, `${path}: ${problem}`)
}

function placeOf(source: string, offset: number): string {
  const lines = source.slice(0, offset).split("\n")
  return `line ${lines.length}, column ${lines.at(-1)!.length + 1}`
}

/** Prefixes of providers' keys and of virtual keys, also as a bearer token; and URLs with a password. */
const SECRET = /^(bearer +)?(sk-|sk_|gsk_|xai-|AIza|hf_|r8_|pplx-[A-Za-z0-9]{20}|p2k_)|^[\w+.-]+:\/\/[^/\s]*:[^/\s]*@/i
const CREDENTIAL_HEADER = /^(authorization|proxy-authorization|cookie|(x-)?(goog-)?api-key)$/i

/** A configuration is copied, committed and shown; keys come from the environment. */
function rejectSecrets(value: unknown, path: string): void {
  for (const { place, name, text } of stringsIn(value)) {
    const isHeader = /^upstreams\.[^.]+\.headers\./.test(place) && CREDENTIAL_HEADER.test(name)
    if (isHeader)
      throw configError(
        path,
        `\`${place}\` contains a key. Set \`keyFrom\` of the upstream to the name of an environment variable.`,
      )
    if (place === "store" && SECRET.test(text))
      throw configError(
        path,
        "`store` contains a password. Remove `store`, and set the variable P2_STORE to the address.",
      )
    if (SECRET.test(text))
      throw configError(
        path,
        `\`${place}\` looks like a key or a password. Move it to an environment variable, and write the name of the variable (\`keyFrom\`, \`secretFrom\`, \`urlFrom\`).`,
      )
  }
}

interface FoundString {
  place: string
  /** The last name in a field's path. */
  name: string
  text: string
}

/** Every string of a value, the names of fields included. */
function* stringsIn(value: unknown, path: readonly (string | number)[] = []): Generator<FoundString> {
  const found = { place: formatPath(path), name: String(path.at(-1) ?? "") }
  if (typeof value === "string") yield { ...found, text: value }
  if (typeof value !== "object" || value === null) return
  for (const [name, inner] of Object.entries(value)) {
    if (!Array.isArray(value)) yield { ...found, text: name }
    yield* stringsIn(inner, [...path, Array.isArray(value) ? Number(name) : name])
  }
}

function formatPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((written, part) => {
    if (typeof part === "number") return `${written}[${part}]`
    return `${written}${written === "" ? "" : "."}${describeName(String(part))}`
  }, "")
}

function describeIssues(issues: readonly z.core.$ZodIssue[], value: unknown): string {
  const [first] = issues
  const others = issues.length - 1
  return `${describeIssue(first!, value)}${others === 0 ? "" : ` (and ${plural(others, "more error")})`}`
}

function describeIssue(issue: z.core.$ZodIssue, value: unknown): string {
  if (issue.code === "unrecognized_keys") return describeUnknown(issue.path, issue.keys[0]!)
  const received = issue.path.reduce<unknown>((inner, part) => Object(inner)[part], value)
  const place = formatPath(issue.path)
  if (received === undefined) return `\`${place}\` is missing: expected ${issue.message}.`
  const subject = place === "" ? "Invalid configuration:" : `Invalid \`${place}\`:`
  return `${subject} expected ${issue.message}, got ${describeValue(SHOWN.test(place) ? received : hideString(received))}.`
}

/** Fields whose strings are never secret. */
const SHOWN = /(^|\.)(per|scope|clampTo|wait|grace|limit|timeZone|serverError|abort|listen|expires)$/

const ADVICE: Readonly<Record<string, string>> = {
  apiKey: 'Put the key into an environment variable, and write its name: "keyFrom": "OPENAI_API_KEY".',
  key: 'Put the key into an environment variable, and write its name: "keyFrom": "OPENAI_API_KEY".',
  secret: 'Put the secret into an environment variable, and write its name: "secretFrom": "P2_ALERT_SECRET".',
  url: "Did you mean `baseURL`?",
  port: 'Did you mean `listen`, such as "127.0.0.1:4100"?',
  host: "Did you mean `listen`, or `hosts`?",
  budget: "Did you mean `limits`?",
  userId: "Did you mean `user`?",
  webhooks: "Did you mean `alerts`?",
}

function describeUnknown(path: readonly PropertyKey[], name: string): string {
  const place = formatPath([...path, name])
  const [nearest] = nearestIds(name, FIELDS[String(path[0] ?? "")] ?? [], 1)
  const advice = ADVICE[name] ?? (nearest === undefined ? "" : `Did you mean \`${nearest}\`?`)
  return `Unknown option \`${place}\`. ${advice || "See docs/serve.md for the options."}`
}

/** Rules that no type expresses. */
function checkRules(config: ServeConfig, path: string): void {
  checkLimits(config.limits, path, "limits")
  for (const [index, record] of configKeys(config).entries())
    checkLimits(limitsOf(record), path, `keys[${index}].limits`)
  for (const [index, { id, tags }] of config.keys.entries()) {
    if (config.keys.findIndex((each) => each.id === id) !== index)
      throw configError(path, `\`keys[${index}].id\` is the id of another key. Ids must be unique.`)
    if (tags !== undefined && "key" in tags)
      throw configError(
        path,
        `\`keys[${index}].tags.key\` is reserved: p2 sets it to the id of the key. Use another name.`,
      )
  }
  checkOwners(config, path)
  const reserved = ["health", "ready", "dashboard"].find((name) => name in config.upstreams)
  if (reserved !== undefined)
    throw configError(path, `\`upstreams.${reserved}\` is reserved: p2 serves that path itself. Use another name.`)
  if (typeof config.dashboard === "object" && !isOrigin(config.dashboard.origin))
    throw configError(path, 'Invalid `dashboard.origin`: expected an origin such as "https://p2.example.com".')
  const hostname = hostnameOf(config.listen)
  if (isLoopback(hostname)) return
  if (config.anonymous !== undefined)
    throw configError(
      path,
      `\`anonymous\` requires a loopback address, and \`listen\` is ${config.listen}. Remove \`anonymous\`, and create keys with \`p2 keys create\`.`,
    )
  if (config.hosts === undefined && /^(0\.0\.0\.0|\[::\])$/.test(hostname))
    throw configError(
      path,
      `\`hosts\` is missing: expected the host names that clients use to call ${config.listen}, such as ["p2.example.com"].`,
    )
}

/** Every caller must have the fields that limits count by. */
function checkOwners(config: ServeConfig, path: string): void {
  const { anonymous } = config
  const owners = configKeys(config).map((record, index) => ({ place: `keys[${index}]`, subject: subjectOf(record) }))
  if (anonymous !== undefined) {
    const { user, client, tags } = anonymous
    owners.push({ place: "anonymous", subject: { userId: user, clientId: client, tags } })
  }
  for (const { place, subject } of owners) {
    const missing = missingScope(config.limits, subject)
    if (missing === undefined) continue
    const { index, field } = missing
    const name = "tag" in field ? `tags.${field.tag}` : field.name
    throw configError(
      path,
      `\`${place}.${name}\` is missing, because \`limits[${index}]\` requires it. Add \`${name}\`, or add \`"optional": true\` to the limit.`,
    )
  }
}

/** @throws the error of the budget, with the place in the file */
function checkLimits(limits: readonly Limit[], path: string, place: string): void {
  try {
    createBudget({ store: memoryStore(), limits })
  } catch (error) {
    if (!InvalidArgumentError.isInstance(error)) throw error
    throw configError(path, error.message.replaceAll("limits[", `${place}[`))
  }
}

function isOrigin(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol) && new URL(text).origin === text
}

export function hostnameOf(listen: string): string {
  return listen.slice(0, listen.lastIndexOf(":"))
}

/** Whether no other machine can connect to an address. */
export function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(\.\d{1,3}){3}$/.test(hostname)
}

/** A relative path of a SQLite file refers to the folder of the configuration. */
function storeIn(store: string, path: string): string {
  try {
    readStoreAddress(store)
  } catch (error) {
    if (!InvalidArgumentError.isInstance(error)) throw error
    throw configError(path, error.message.replace("--store", "store"))
  }
  const file = /^file:(?!\/\/)(.+)$/.exec(store)?.[1]
  return file === undefined || isAbsolute(file) ? store : `file:${join(dirname(path), file)}`
}
