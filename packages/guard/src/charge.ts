export type { AttemptRequest, AttemptReserve, ReservedAttempt } from "./charge/attempt"
export type { Charge, ChargeOptions, DoubtfulCharge, ProviderHealth, SendProof } from "./charge/charge"
export { CircuitOpenError } from "./charge/circuit/circuit-open-error"
export type { AttemptEvidence, ReportedCharge, ReservedCost } from "./charge/evidence"
