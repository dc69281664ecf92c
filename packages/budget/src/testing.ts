export { SuiteFailure } from "./testing/expect"
export type { CaseReport, LevelReport, StoreReport } from "./testing/report"
export type { CaseBench, StoreCase } from "./testing/store-case"
export { storeCases } from "./testing/store-cases"
export {
  type ChildEnd,
  connectStore,
  type ParentEnd,
  type SuiteMessage,
  serveStore,
} from "./testing/store-process"
export { defineStoreSuite, runStoreSuite, type SuiteRunner } from "./testing/suite"
export {
  type StoreProcess,
  SUITE_LEVELS,
  type SuiteCaseName,
  type SuiteClock,
  type SuiteFactory,
  type SuiteFaults,
  type SuiteLevel,
  type SuiteNeed,
  type SuiteOptions,
  type SuiteTarget,
} from "./testing/target"
