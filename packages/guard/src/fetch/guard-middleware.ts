import { InvalidArgumentError } from "@p2/core"
import { sendCounted } from "../transport/counted-call"
import { guardedFetch } from "./guard-fetch"
import { type GuardOptions, readGuardOptions } from "./guard-options"

/** A request as the middleware of `@anthropic-ai/sdk` gets it: the init of fetch, with the URL. */
export type MiddlewareRequest = NonNullable<Parameters<typeof fetch>[1]> & { url: string }

/**
 * {@link guardFetch} as middleware of `@anthropic-ai/sdk`. It sees each attempt of the SDK, in Anthropic's own wire
 * format, even if the client translates it afterwards (Bedrock, Vertex). Place it last: a middleware behind it could
 * send a request twice.
 *
 * @throws InvalidArgumentError if an option is invalid
 *
 * @example
 * const anthropic = new Anthropic({ middleware: [guardMiddleware({ budget })] })
 */
export function guardMiddleware(options: Omit<GuardOptions, "fetch">) {
  const guard = readGuardOptions(options)
  if (options.inputBound === "provider")
    throw new InvalidArgumentError(
      "inputBound",
      '"hard" or "calibrated": a middleware can send only the call itself',
      "provider",
    )
  return <Sent extends MiddlewareRequest>(
    request: Sent,
    next: (request: Sent) => Promise<Response>,
  ): Promise<Response> => {
    const fetch = (_url: unknown, init: object = {}) => sendCounted(() => next({ ...request, ...init }))
    return guardedFetch({ ...guard, fetch }, request.url, request)
  }
}
