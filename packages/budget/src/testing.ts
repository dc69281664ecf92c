export type { CaseContext, ExpiredLease } from "./testing/case-context"
export { SuiteFailure } from "./testing/expect"
export { createFaultyProxy, type FaultyProxy, type FaultyProxyOptions, type TcpAddress } from "./testing/faulty-proxy"
export type { CaseReport, LevelReport, StoreReport } from "./testing/report"
export { SUITE_LEVELS, SUITE_NEEDS, type SuiteLevel, type SuiteNeed } from "./testing/report"
export { type StoreCase, SUITE_RULES, type SuiteRule } from "./testing/store-case"
export { storeCases } from "./testing/store-cases"
export {
  type ChildEnd,
  type ConnectOptions,
  connectStore,
  type ParentEnd,
  type SuiteMessage,
  serveStore,
} from "./testing/store-process"
export { defineStoreSuite, runStoreSuite, type SuiteRunner } from "./testing/suite"
export type {
  StoreProcess,
  SuiteCaseName,
  SuiteClock,
  SuiteFactory,
  SuiteFaults,
  SuiteOptions,
  SuiteTarget,
} from "./testing/target"
