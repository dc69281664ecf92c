import { adjustmentCases } from "./cases/adjustments"
import { concurrencyCases } from "./cases/concurrency"
import { contractCases, settleCases } from "./cases/contract"
import { damageCases, faultCases } from "./cases/faults"
import { fuzzCases } from "./cases/fuzz"
import { idempotencyCases } from "./cases/idempotency"
import { leaseCases } from "./cases/leases"
import { ledgerCases } from "./cases/ledger"
import { ledgerQueryCases } from "./cases/ledger-queries"
import { amountCases, nameCases } from "./cases/names"
import { processCases } from "./cases/processes"
import { retentionCases } from "./cases/retention"
import { stateCases } from "./cases/states"
import { timeCases } from "./cases/time"
import type { StoreCase } from "./store-case"

/** Every case of the suite, as data. */
export const storeCases: readonly StoreCase[] = [
  ...contractCases,
  ...settleCases,
  ...adjustmentCases,
  ...nameCases,
  ...amountCases,
  ...stateCases,
  ...concurrencyCases,
  ...leaseCases,
  ...timeCases,
  ...retentionCases,
  ...fuzzCases,
  ...idempotencyCases,
  ...faultCases,
  ...damageCases,
  ...processCases,
  ...ledgerCases,
  ...ledgerQueryCases,
]
