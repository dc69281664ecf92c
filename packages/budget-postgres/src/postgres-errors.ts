import { StoreError } from "@p2/budget/store"

/** SQLSTATEs (https://www.postgresql.org/docs/current/errcodes-appendix.html) that say more than "try again". */
const PROBLEMS: [state: RegExp, code: StoreError["code"], problem: string][] = [
  [/^25006$/, "store-misconfigured", "the server is read-only (a standby?). Connect to the primary."],
  [
    /^(42P07|42710)$/,
    "store-misconfigured",
    "the schema has objects of another program. Set `schema` to another name.",
  ],
  [/^(42|3F|3D|28)/, "store-misconfigured", "the role or the database cannot be used as the store needs it."],
  [/^22(P05|021)$/, "store-misconfigured", "the encoding of the database must be UTF8."],
  [/^(XX00[12]|58P01)$/, "store-corrupt", "the server reports damaged data."],
  [/^53100$/, "store-unavailable", "the disk is full. Free some space."],
  [/^55P03$/, "store-unavailable", "another transaction held the lock of the partition too long."],
  [/./, "store-unavailable", "the server did not complete the transaction."],
]

/** Converts an error of `pg` or of the connection. The cause has its message only: the error itself may name statements and values. */
export function toStoreError(error: unknown, applied: "no" | "maybe"): StoreError {
  const { message = "", code: state = "no SQLSTATE" } = error as { message?: string; code?: string }
  const [, code, problem] = PROBLEMS.find(([pattern]) => pattern.test(state))!
  // A serialization failure or a deadlock. At READ COMMITTED a COMMIT has neither; what is sent with it comes after it.
  const conflict = applied === "no" && /^40(001|P01)$/.test(state)
  return new StoreError(`PostgreSQL (${state}): ${problem}`, { code, applied, conflict, cause: new Error(message) })
}
