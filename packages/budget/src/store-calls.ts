import { P2Error } from "@p2/core"
import { StoreError } from "./store-error"

/** Waits for the store no longer than it may take. Rejects with a StoreError or a mistake and nothing else. */
export function withinTimeout<T>(call: () => Promise<T>, timeoutMs: number, store: string): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(
        new StoreError(`The store "${store}" did not answer within ${timeoutMs} ms.`, {
          code: "unavailable",
          applied: "maybe",
        }),
      )
    }, timeoutMs)
    const end = (error: unknown) => {
      clearTimeout(timer)
      reject(asStoreError(error, store))
    }
    try {
      call().then((value) => {
        clearTimeout(timer)
        resolve(value)
      }, end)
    } catch (error) {
      end(error)
    }
  })
}

export function isStoreError(error: unknown): error is StoreError {
  return P2Error.isInstance(error) && error.name === "StoreError" && "applied" in error
}

function asStoreError(error: unknown, store: string): unknown {
  if (isStoreError(error) || (P2Error.isInstance(error) && error.kind === "mistake")) return error
  return new StoreError(`The store "${store}" failed.`, { code: "unavailable", applied: "maybe", cause: error })
}
