import { contractCases } from "./cases/contract"
import type { StoreCase } from "./store-case"

/** Every case of the suite, as data. */
export const storeCases: readonly StoreCase[] = [...contractCases]
