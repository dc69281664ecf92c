export {
  type AttemptRequest,
  type AttemptReserve,
  type ReservedAttempt,
  reserveAttempt,
  settleAttempt,
} from "./charge/attempt"
export type { Charge, ChargeOptions, DoubtfulCharge, ProviderHealth, SendProof } from "./charge/charge"
export { CircuitOpenError } from "./charge/circuit/circuit-open-error"
export { decideCharge } from "./charge/decide-charge"
export type { AttemptEvidence, ReportedCharge, ReservedCost } from "./charge/evidence"
export { BILLING_RULES, type BillingRule } from "./charge/provider-rules"
export { dearerCharge } from "./charge/used-model"
export { inCurrentScope, mergeSubjects } from "./fetch/scope/scope"
