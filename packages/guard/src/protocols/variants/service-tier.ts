import type { ProtocolContext, Rejection } from "../protocol"
import { invalidBody, unbounded } from "../rejection"
import type { CalledModel } from "./called-model"

/** The service tier that decides the bound. */
export interface ServiceTier {
  status: "read"
  /** Undefined or `auto`: a setting of the provider's project decides. */
  name: string | undefined
  /** The call states none, so `name` has to be sent. */
  isSent: boolean
}

/** Reads the service tier of a call, or uses the context's tier where a setting of the OpenAI project would decide. */
export function serviceTierOf(
  body: Readonly<Record<string, unknown>>,
  { provider }: CalledModel,
  context: ProtocolContext,
): ServiceTier | Rejection {
  const stated = body.service_tier ?? undefined
  if (stated !== undefined && typeof stated !== "string")
    return invalidBody("service_tier", "the name of a service tier")
  const rejection = rejectsBatchTier(stated ?? context.serviceTier)
  if (rejection !== undefined) return rejection
  const isOpen = stated === undefined || stated === "auto"
  if (!isOpen || context.serviceTier === undefined || provider.name !== "openai")
    return { status: "read", name: stated, isSent: false }
  return { status: "read", name: context.serviceTier, isSent: true }
}

/** The price of a batch is half of the standard one, which is billed where a provider ignores the tier. */
export function rejectsBatchTier(tier: string | undefined): Rejection | undefined {
  if (tier !== "batch") return undefined
  return unbounded('the service tier "batch"', "a single call is not billed as a batch", "Omit it, or send a batch.")
}
