import { adjustmentCases } from "./cases/adjustments"
import { concurrencyCases } from "./cases/concurrency"
import { contractCases } from "./cases/contract"
import { idempotencyCases } from "./cases/idempotency"
import { leaseCases } from "./cases/leases"
import { nameCases } from "./cases/names"
import { retentionCases } from "./cases/retention"
import { stateCases } from "./cases/states"
import { timeCases } from "./cases/time"
import type { StoreCase } from "./store-case"

/** Every case of the suite, as data. */
export const storeCases: readonly StoreCase[] = [
  ...contractCases,
  ...adjustmentCases,
  ...nameCases,
  ...stateCases,
  ...concurrencyCases,
  ...leaseCases,
  ...timeCases,
  ...retentionCases,
  ...idempotencyCases,
]
