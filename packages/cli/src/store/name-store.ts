import { P2Error } from "@p2/core"
import { shownAddress } from "./store-address"

/** Runs `work`. The failure of a server then names its address, without a password, and what to do. */
export async function nameStore<T>(address: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!P2Error.isInstance(error) || error.kind !== "failed" || /^(memory|file):/.test(address)) throw error
    const { code, message } = error
    const place = `The store is ${shownAddress(address)}`
    const isAway = code === "store-unavailable" || code === "key-store-unavailable"
    const remedy = isAway ? `${place}: start it, or set another address with --store or P2_STORE.` : `${place}.`
    throw new P2Error(`${message} ${remedy}`, { code, kind: "failed", cause: error })
  }
}
