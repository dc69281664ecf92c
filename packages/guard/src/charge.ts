export type { Charge, ChargeOptions, DoubtfulCharge, SendProof } from "./charge/charge"
