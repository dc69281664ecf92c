export { type Fault, Faults, type FaultTarget } from "./faults"
export {
  DONE,
  type Exchange,
  eventText,
  type ImitationServer,
  refusedURL,
  type SilentServer,
  startImitationServer,
  startSilentServer,
} from "./imitation-server"
export { type BilledCall, type BilledUnits, ProviderLedger, type Rates } from "./ledger"
export { dataForSchema } from "./schema-data"
export type { LocalProviderOptions, ReceivedRequest } from "./server-context"
export { type LocalProvider, startLocalProvider } from "./start"
