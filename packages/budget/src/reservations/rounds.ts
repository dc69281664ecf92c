import { StoreError } from "../store/store-error"

/** How often a call is sent again because of its reply. Windows change at most once during a call, so a third time means that the store contradicts itself. */
export const MAX_ROUNDS = 3

export function contradiction(store: string, status: string): StoreError {
  return new StoreError(`The store "${store}" replied "${status}" ${MAX_ROUNDS} times in a row.`, {
    code: "store-corrupt",
    applied: "no",
  })
}
