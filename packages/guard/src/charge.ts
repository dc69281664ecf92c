export type {
  AttemptCost,
  AttemptEvidence,
  Charge,
  ChargeOptions,
  DoubtfulCharge,
  ProviderHealth,
  ReservedCost,
  SendProof,
} from "./charge/charge"
export { CircuitOpenError } from "./charge/circuit/circuit-open-error"
export { decideCharge } from "./charge/decide-charge"
export { BILLING_RULES, type BillingRule } from "./charge/provider-rules"
export {
  type AttemptReserveOptions,
  type AttemptReserveResult,
  type ReservedAttempt,
  reserveAttempt,
  settleAttempt,
} from "./charge/reserve-attempt"
export { dearerCharge } from "./charge/used-model"
export { inCurrentScope, mergeSubjects } from "./fetch/scope/scope"
