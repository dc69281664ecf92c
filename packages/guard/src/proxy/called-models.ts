import { isRecord, parseJson } from "@p2/core"

/** The model in a Gemini, Vertex AI or Azure path. */
const IN_PATH = /\/(?:models|deployments)\/([^/:]+)[/:]/

/**
 * Every model that a call names: in its path, in its body, as a fallback, or in a tool that calls one. The list is
 * empty for a call without a model.
 */
export function calledModels({ pathname }: URL, bytes: Uint8Array | undefined): string[] {
  const inPath = IN_PATH.exec(pathname)?.[1]
  const body = bytes === undefined ? undefined : parseJson(new TextDecoder().decode(bytes))
  const named = isRecord(body)
    ? [body, ...records(body.tools), ...records(body.fallbacks), ...records(body.requests)]
    : []
  const models = isRecord(body) && Array.isArray(body.models) ? body.models : []
  const all: unknown[] = [
    inPath === undefined ? undefined : decoded(inPath),
    ...named.map(({ model }) => model),
    ...models,
  ]
  return all.filter((model) => typeof model === "string").map((model) => model.replace(/^models\//, ""))
}

function records(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.filter(isRecord) : []
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}
