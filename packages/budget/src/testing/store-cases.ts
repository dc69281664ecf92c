import { concurrencyCases } from "./cases/concurrency"
import { contractCases } from "./cases/contract"
import { idempotencyCases } from "./cases/idempotency"
import { leaseCases } from "./cases/leases"
import { mistakeCases } from "./cases/mistakes"
import { stateCases } from "./cases/states"
import type { StoreCase } from "./store-case"

/** Every case of the suite, as data. */
export const storeCases: readonly StoreCase[] = [
  ...contractCases,
  ...stateCases,
  ...mistakeCases,
  ...concurrencyCases,
  ...leaseCases,
  ...idempotencyCases,
]
