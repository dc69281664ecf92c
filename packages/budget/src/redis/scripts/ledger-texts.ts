import { REPLY, type Script } from "./script"

/** Prompt and answer of an entry, as JSON, where they are kept apart. KEYS: 1 its key. Reply: code, JSON or nothing. */
export function ledgerTextsScript(): Script {
  return { name: "ledger-texts", lua: `return { ${REPLY.ok}, redis.call('GET', KEYS[1]) }` }
}
