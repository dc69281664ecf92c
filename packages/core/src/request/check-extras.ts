import { describeName } from "../errors"
import { type Check, isPlainObject } from "./option-checks"

const SET_OPTION = (option: string) => `is set by the option \`${option}\``
const SET_BY_CLIENT = "is set by the client"

/** Fields of the body that options decide, because the upper bound or the reading of the answer depends on them. */
const RESERVED_FIELDS: Readonly<Record<string, string>> = {
  model: SET_OPTION("model"),
  models: SET_OPTION("fallbacks"),
  messages: SET_OPTION("messages"),
  system: SET_OPTION("system"),
  max_tokens: SET_OPTION("maxTokens"),
  max_completion_tokens: SET_OPTION("maxTokens"),
  temperature: SET_OPTION("temperature"),
  top_p: SET_OPTION("topP"),
  frequency_penalty: SET_OPTION("frequencyPenalty"),
  presence_penalty: SET_OPTION("presencePenalty"),
  seed: SET_OPTION("seed"),
  random_seed: SET_OPTION("seed"),
  stop: SET_OPTION("stop"),
  stop_sequences: SET_OPTION("stop"),
  service_tier: SET_OPTION("serviceTier"),
  reasoning_effort: SET_OPTION("reasoningEffort"),
  verbosity: SET_OPTION("verbosity"),
  response_format: SET_OPTION("answerModel"),
  tools: SET_OPTION("tools"),
  tool_choice: SET_OPTION("toolChoice"),
  functions: SET_OPTION("tools"),
  function_call: SET_OPTION("toolChoice"),
  plugins: SET_OPTION("online"),
  stream: SET_BY_CLIENT,
  stream_options: SET_BY_CLIENT,
  usage: SET_BY_CLIENT,
  n: "is not supported: send one request per answer",
}

/** Headers that the client sets, or that belong to the connection. */
const RESERVED_HEADERS: Readonly<Record<string, string>> = {
  authorization: SET_OPTION("apiKey"),
  "x-api-key": SET_OPTION("apiKey"),
  "api-key": SET_OPTION("apiKey"),
  "content-type": SET_BY_CLIENT,
  "x-client-request-id": SET_BY_CLIENT,
  "content-length": SET_BY_CLIENT,
  "transfer-encoding": SET_BY_CLIENT,
  connection: SET_BY_CLIENT,
  host: SET_BY_CLIENT,
}

/** Plain data, without the fields that options decide. */
export const checkExtraBody: Check = (value, path, issues) => {
  if (!isPlainObject(value) || !isJson(value)) return issues.addUnexpected(path, "an object of plain data", value)
  for (const name of Object.keys(value))
    if (Object.hasOwn(RESERVED_FIELDS, name)) issues.add(`${path}.${name}`, RESERVED_FIELDS[name]!)
}

/** Header names and values as fetch accepts them. Values are never shown: they may be keys. */
export const checkExtraHeaders: Check = (value, path, issues) => {
  if (!isPlainObject(value)) return issues.addUnexpected(path, "an object of header names and string values", value)
  for (const [name, header] of Object.entries(value)) {
    const reserved = RESERVED_HEADERS[name.toLowerCase()]
    const at = `${path}.${describeName(name)}`
    if (reserved !== undefined) issues.add(at, reserved)
    else if (!/^[\w!#$%&'*+.^`|~-]{1,200}$/.test(name)) issues.add(at, "is not the name of a header")
    else if (typeof header !== "string" || !/^[\t\x20-\x7e]{0,8000}$/.test(header))
      issues.add(at, "expected a string of at most 8,000 printable ASCII characters")
  }
}

function isJson(value: unknown): boolean {
  try {
    return JSON.stringify(value).length <= 1_000_000
  } catch {
    return false
  }
}
