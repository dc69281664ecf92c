import { concurrencyCases } from "./cases/concurrency"
import { contractCases } from "./cases/contract"
import { faultCases } from "./cases/faults"
import { fuzzCases } from "./cases/fuzz"
import { idempotencyCases } from "./cases/idempotency"
import { leaseCases } from "./cases/leases"
import { ledgerCases } from "./cases/ledger"
import { ledgerTruthCases } from "./cases/ledger-truths"
import { mistakeCases } from "./cases/mistakes"
import { processCases } from "./cases/processes"
import { raceCases } from "./cases/races"
import { stateCases } from "./cases/states"
import { subjectCases } from "./cases/subjects"
import type { StoreCase } from "./store-case"

/** Every case of the suite, as data. */
export const storeCases: readonly StoreCase[] = [
  ...contractCases,
  ...stateCases,
  ...mistakeCases,
  ...subjectCases,
  ...concurrencyCases,
  ...raceCases,
  ...leaseCases,
  ...fuzzCases,
  ...idempotencyCases,
  ...faultCases,
  ...processCases,
  ...ledgerCases,
  ...ledgerTruthCases,
]
