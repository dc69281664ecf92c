import { StoreError } from "../store/store-error"

/**
 * How many times a request is sent when the reply asks to send it again. Windows change at most once during a call, so a
 * third such reply is an error of the store.
 */
export const MAX_ROUNDS = 3

export function repeatedReplyError(store: string, status: string): StoreError {
  return new StoreError(`The store "${store}" replied "${status}" ${MAX_ROUNDS} times in a row.`, {
    code: "store-corrupt",
    applied: "no",
  })
}
