export type { ChargeOptions, DoubtfulCharge } from "./charge/charge"
