import { isRecord } from "@p2/core"
import { readTextUpTo } from "@p2/guard/transport"

/** The largest part of an error body that is read, in bytes: 1 MiB. */
export const MAX_ERROR_BYTES = 1024 * 1024

/** The `usage` in an error body, by the headers of the response. The SDK's error has the headers, but only `error` of the body. */
const usages = new WeakMap<object, unknown>()

/**
 * `fetch` that reads at most 1 MiB of an error body. The SDK reads such a body to its end, however long it is. The
 * client's own `OpenAI` instances use it; pass it to yours.
 *
 * It also reads error bodies of other shapes than OpenAI's, for which the SDK reports "400 status code (no body)": Gemini
 * sends a list (https://github.com/versun/RSSBox/issues/132), Mistral and vLLM the bare error
 * (https://github.com/partITech/php-mistral/issues/76, https://github.com/vllm-project/vllm/pull/10463), FastAPI
 * `detail`.
 *
 * @example
 * const openai = new OpenAI({ fetch: fetchWithErrorLimit })
 */
export async function fetchWithErrorLimit(...args: Parameters<typeof fetch>): Promise<Response> {
  // Reads the global at each call, so that a replaced fetch is used.
  const response = await fetch(...args)
  if (response.ok || response.body === null) return response
  const { body, headers } = response
  const text = async () => {
    const bodyText = await readTextUpTo(body, MAX_ERROR_BYTES)
    try {
      const [parsed] = [JSON.parse(bodyText)].flat() as unknown[]
      if (!isRecord(parsed)) return bodyText
      usages.set(headers, parsed.usage)
      return JSON.stringify({ ...parsed, error: parsed.error ?? parsed })
    } catch {
      return bodyText
    }
  }
  return Object.defineProperty(response, "text", { value: text })
}

/** The `usage` in the body of an error status; undefined if there is none, or if another fetch read the body. */
export function usageOfErrorBody(error: unknown): unknown {
  const { headers, error: inner } = error as { headers: object; error?: unknown }
  return usages.get(headers) ?? (isRecord(inner) ? inner.usage : undefined)
}
