import { REPLY, type Script } from "./script"

/** The whole JSON of an entry whose prompt and answer are kept apart. KEYS: 1 its key. Reply: code, JSON or nothing. */
export function ledgerTextsScript(): Script {
  return { name: "ledger-texts", lua: `return { ${REPLY.ok}, redis.call('GET', KEYS[1]) }` }
}
