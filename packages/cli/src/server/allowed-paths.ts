import { errorResponse } from "./error-response"

/**
 * Calls that run a model or count tokens, by the end of their path. Everything else below an upstream belongs to the provider's
 * account: files, stored responses, conversations, batches, fine-tuned models. The callers of one server share that account.
 */
const RUNS_A_MODEL =
  /\/(chat\/completions|completions|responses|responses\/input_tokens|responses\/compact|embeddings|messages|messages\/count_tokens|moderations|rerank|ocr|images\/(generations|edits|variations)|audio\/(speech|transcriptions|translations))\/?$|\/models\/[^/]+:\w+$/
const LISTS_MODELS = /\/models(\/[^/]+)*\/?$/

/** Whether a request may be forwarded to an upstream if callers must not see each other's data. */
export function isModelCall({ method, url }: Pick<Request, "method" | "url">): boolean {
  const { pathname } = new URL(url)
  if (method === "POST") return RUNS_A_MODEL.test(pathname)
  if (method !== "GET" && method !== "HEAD") return false
  return LISTS_MODELS.test(pathname) || pathname.split("/").filter((part) => part !== "").length < 2
}

/** The response to other requests. */
export function pathNotAllowed(): Response {
  return errorResponse(403, {
    code: "path_not_allowed",
    type: "permission_error",
    message:
      "This path belongs to the provider's account, which all callers share. p2 serves model calls and lists of models. Set `accountPaths: true` in the configuration to allow other paths.",
  })
}
