import { isRecord } from "@p2/core"
import { jsonPart, type PromptPart, recordsIn, tokensPart, unseenPart } from "../prompt-parts"
import type { Rejection } from "../protocol"
import { invalidBody, unbounded } from "../rejection"
import { unknownField, words } from "../variants/body-fields"
import type { CalledModel } from "../variants/called-model"
import { camelKeys } from "./camel-keys"

/** What the tools of a call add to it. */
export interface GeminiTools {
  status: "read"
  parts: PromptPart[]
  /** Maximum number of billed searches. */
  webSearches: number
}

/** Tokens that the markup of one function may add to its JSON. They are not published. */
const MARKUP = tokensPart(8, 64)

/** Tools that Google runs, and why each has no bound. */
const REJECTED: Readonly<Record<string, readonly [because: string, remedy: string]>> = {
  codeExecution: [
    "the model decides how often it runs code, and every result is billed as input",
    "Run the code in a function of your own.",
  ],
  urlContext: [
    "the model decides how many pages it reads, and each is billed as input",
    "Fetch the pages in your code and send their text.",
  ],
  fileSearch: [
    "the model decides how often it searches, and every result is billed as input",
    "Search in your code and send the results.",
  ],
  googleMaps: ["no price is listed for its requests", "Call Google Maps in a function of your own."],
  enterpriseWebSearch: ["no price is listed for its requests", "Search in a function of your own."],
  retrieval: ["no price is listed for its requests", "Search in a function of your own."],
  parallelAiSearch: ["another company is billed for it", "Search in a function of your own."],
  exaAiSearch: ["another company is billed for it", "Search in a function of your own."],
  mcpServers: [
    "the servers decide how many tokens their tools and results have",
    "Connect to the servers in your code and declare their functions.",
  ],
}

const SEARCH_FIELDS = words("timeRangeFilter excludeDomains blockingConfidence dynamicRetrievalConfig")

/** Reads `tools`. */
export function readTools(tools: unknown, model: CalledModel): GeminiTools | Rejection {
  const list = recordsIn(tools ?? [])
  if (list === undefined) return invalidBody("tools", "an array of tools")
  const parts: PromptPart[] = []
  let webSearches = 0
  for (const [name, value] of list.flatMap((tool) => Object.entries(camelKeys(tool)))) {
    if (value === undefined || value === null) continue
    if (name === "functionDeclarations") parts.push(...functionParts(value))
    else if (name === "computerUse") parts.push(unseenPart("`computerUse`"))
    else if (name === "googleSearch" || name === "googleSearchRetrieval") {
      const wrong = checkSearch(name, value, model)
      if (wrong !== undefined) return wrong
      webSearches = 1
      parts.push(unseenPart(`the results of \`${name}\``))
    } else {
      const rule = Object.hasOwn(REJECTED, name) ? REJECTED[name] : undefined
      return rule === undefined ? unknownField(`tools[].${name}`) : unbounded(`\`${name}\``, ...rule)
    }
  }
  return { status: "read", parts, webSearches }
}

function functionParts(declarations: unknown): PromptPart[] {
  const list = Array.isArray(declarations) ? declarations : [declarations]
  return list.flatMap((declaration) => [...jsonPart(declaration), MARKUP])
}

/**
 * Models up to Gemini 2.5 bill a request that searched once, later ones bill each query.
 * @see https://ai.google.dev/gemini-api/docs/google-search#pricing (as of 2026-09-17)
 */
function checkSearch(name: string, value: unknown, { model, price }: CalledModel): Rejection | undefined {
  const unknown = isRecord(value) ? Object.keys(camelKeys(value)).find((field) => !SEARCH_FIELDS.has(field)) : undefined
  if (unknown !== undefined) return unknownField(`tools[].${name}.${unknown}`)
  if (!/(^|\/)gemini-[12]\./.test(model))
    return unbounded(
      `\`${name}\` with this model`,
      "the model decides how many queries it runs, and each is billed",
      "Use a model up to Gemini 2.5, which bills one search for a request, or search in a function of your own.",
    )
  if (price.rates.search === undefined)
    return unbounded(
      `\`${name}\``,
      "no price is listed for a search",
      "Add `search`, in USD for a request that searched, to a price of your own with createPriceTable.",
    )
  return undefined
}
