export type { Charge, ChargeOptions, DoubtfulCharge, SendProof } from "./charge/charge"
export {
  type BodyEnd,
  BodyIdleError,
  type BodyObserver,
  MAX_BYTES_AHEAD,
  type ReadAheadBody,
  type ReadAheadOptions,
  readAhead,
  withBody,
} from "./transport/read-ahead"
