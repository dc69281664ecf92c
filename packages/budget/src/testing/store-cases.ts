import { adjustmentCases } from "./cases/adjustments"
import { contractCases } from "./cases/contract"
import { nameCases } from "./cases/names"
import { stateCases } from "./cases/states"
import type { StoreCase } from "./store-case"

/** Every case of the suite, as data. */
export const storeCases: readonly StoreCase[] = [...contractCases, ...adjustmentCases, ...nameCases, ...stateCases]
