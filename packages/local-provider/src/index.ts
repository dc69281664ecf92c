export { type Fault, Faults, type FaultTarget } from "./faults"
export { type BilledCall, type BilledUnits, ProviderLedger, type Rates } from "./ledger"
export {
  DONE,
  type Exchange,
  eventText,
  type MockServer,
  refusedURL,
  type SilentServer,
  startMockServer,
  startSilentServer,
} from "./mock-server"
export { dataForSchema } from "./schema-data"
export type { LocalProviderOptions, ReceivedRequest } from "./server-context"
export { type LocalProvider, startLocalProvider } from "./start"
