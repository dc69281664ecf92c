import { isRecord } from "./internal/usage-from-wire"

/** Most bytes that are read of the body of a status that is no success: 1 MiB. */
export const MAX_ERROR_BYTES = 1024 * 1024

/** Usages by the headers that came with them: the SDK's error keeps the headers, and of the body only `error`. */
const usages = new WeakMap<object, unknown>()

/**
 * The `fetch` of this moment, whose error bodies end at 1 MiB: the SDK reads them to their end, however long a server
 * goes on. The client's own instances have it; give it to yours.
 *
 * The SDK looks for `error` and says "400 status code (no body)" where there is none. Gemini's endpoint puts its error
 * into a list (https://github.com/versun/RSSBox/issues/132); Mistral and vLLM answer with the bare error
 * (https://github.com/partITech/php-mistral/issues/76, https://github.com/vllm-project/vllm/pull/10463), FastAPI with
 * `detail`: it finds them all.
 *
 * @example
 * const openai = new OpenAI({ fetch: fetchWithErrorLimit })
 */
export async function fetchWithErrorLimit(...args: Parameters<typeof fetch>): Promise<Response> {
  const response = await fetch(...args)
  if (response.ok || response.body === null) return response
  const { body, headers } = response
  const text = async () => {
    const said = await readSome(body)
    try {
      const [parsed] = [JSON.parse(said)].flat() as unknown[]
      if (!isRecord(parsed)) return said
      usages.set(headers, parsed.usage)
      return JSON.stringify({ ...parsed, error: parsed.error ?? parsed })
    } catch {
      return said
    }
  }
  return Object.defineProperty(response, "text", { value: text })
}

/** `usage` in the body of an error status; undefined where none is said, or where the body was read by somebody else. */
export function usageBesideError(error: unknown): unknown {
  const { headers, error: inside } = error as { headers: object; error?: unknown }
  return usages.get(headers) ?? (isRecord(inside) ? inside.usage : undefined)
}

async function readSome(body: ReadableStream<Uint8Array>): Promise<string> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  const pieces: string[] = []
  for (let left = MAX_ERROR_BYTES; ; ) {
    const { done, value } = await reader.read()
    if (done) return pieces.join("") + decoder.decode()
    pieces.push(decoder.decode(value.subarray(0, left), { stream: true }))
    left -= value.byteLength
    if (left > 0) continue
    reader.cancel().catch(() => {})
    return pieces.join("")
  }
}
