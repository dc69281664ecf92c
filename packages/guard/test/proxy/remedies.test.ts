import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { CircuitOpenError } from "../../src/charge/circuit/circuit-open-error"
import { type OtherRemedies, REMEDY_NAMES, withRemedies } from "../../src/proxy/remedies"
import { CALL, guardOver, json } from "../fetch/guarded-server"

/** Every rejection in the tables of the docs, which tests compare with the code. */
const REJECTIONS = ["openai", "anthropic", "gemini"].flatMap((page) =>
  [
    ...readFileSync(new URL(`../../docs/${page}.md`, import.meta.url), "utf8").matchAll(
      /<!-- table[\s\S]*?<!-- end -->/g,
    ),
  ]
    .flatMap(([table]) => table.slice(table.indexOf("rejected")).split("\n"))
    .flatMap((line) => /^\| .* \| ([A-Z].*) \|$/.exec(line)?.[1] ?? []),
)

/** The message with which a guard rejects a call. */
async function rejectionOf(url: string, body: object): Promise<string> {
  const guard = guardOver(() => json({}))
  const response = await guard.fetch(url, { method: "POST", body: JSON.stringify(body) })
  return ((await response.json()) as { error: { message: string } }).error.message
}

const BATCH = { input_file_id: "file-1", endpoint: "/v1/chat/completions", completion_window: "24h" }

const OTHERS = [
  "The amount is larger than the limit: lower the amount, top up or raise the limit.",
  "Waiting does not help: top up or raise the limit.",
  new CircuitOpenError({ provider: "openai", model: "m", retryAfterMs: 1, inDoubtNanoUsd: 1, limitNanoUsd: 2 }).message,
  await rejectionOf("https://unit.example/v1/chat/completions", CALL),
  await rejectionOf("https://api.openai.com/v1/batches", BATCH),
]

/** Remedies that only the developer of a guard can apply. */
const FOR_DEVELOPERS =
  /createPriceTable|`(unknownEndpoints|provider|deployments|max[A-Z]\w+|batchUpperBound|serviceTier|charge|unbilledStatuses)\b/

const NONE: OtherRemedies = Object.fromEntries(REMEDY_NAMES.map((name) => [name, undefined]))

describe("messages for the callers of a proxy", () => {
  it("recommend nothing that only its developer can do, and keep the fact", () => {
    expect(REJECTIONS.length).toBeGreaterThan(140)
    for (const message of [...REJECTIONS, ...OTHERS]) {
      expect(withRemedies(message, NONE)).not.toMatch(FOR_DEVELOPERS)
      if (!OTHERS.slice(0, 2).includes(message)) expect(withRemedies(message, NONE)).toMatch(/^[A-Z].+\.$/)
    }
  })

  it.each(["provider", "deployments", "unknownEndpoints", "maxToolCalls"])(
    "keep the fact about a field `%s` of the body",
    async (name) => {
      const message = await rejectionOf("https://api.openai.com/v1/responses", {
        model: "gpt-4o-mini",
        input: "x",
        [name]: 1,
      })
      expect(message).toContain(`Unknown field \`${name}\``)
      expect(withRemedies(message, NONE)).toBe(message)
    },
  )

  it("have a use for every hint", () => {
    const shown = REMEDY_NAMES.filter((name) =>
      [...REJECTIONS, ...OTHERS].some((message) => withRemedies(message, { [name]: "HINT" }).includes("HINT")),
    )
    expect(shown).toEqual(REMEDY_NAMES)
  })
})
