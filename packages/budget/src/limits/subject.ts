import { checkOptions, InvalidArgumentError } from "@p2/core"
import { checkValue } from "./names"

/** Whose call it is. Limits look up their scope in it. Values may be untrusted. */
export interface Subject {
  /** Groups the attempts of one request. @defaultValue the idempotency key */
  requestId?: string | undefined
  userId?: string | undefined
  clientId?: string | undefined
  model?: string | undefined
  tags?: Readonly<Record<string, string>> | undefined
}

/** Whose spending a limit counts. Only `budget.child()` creates `{ child }`. */
export type Scope =
  | "request"
  | "user"
  | "client"
  | "total"
  | "model"
  | { readonly tag: string }
  | { readonly child: string }

/** The unit of a counter: nano-USD, tokens or requests. */
export type Unit = "nanoUsd" | "tokens" | "requests"

const FIELDS = ["requestId", "userId", "clientId", "model"] as const
const SUBJECT_NAMES: ReadonlySet<string> = new Set([...FIELDS, "tags"])

/** The field of a subject in which a scope is looked up. */
export const SUBJECT_FIELDS = { request: "requestId", user: "userId", client: "clientId", model: "model" } as const

/** Validates and copies a subject. Rejects unknown fields: a misspelled `userId` must not be ignored. @throws InvalidArgumentError */
export function readSubject(given: Subject = {}): Subject {
  checkOptions(given, SUBJECT_NAMES, "subject")
  const { requestId, userId, clientId, model, tags } = given
  const subject = { requestId, userId, clientId, model, tags: tags && { ...tags } }
  for (const field of FIELDS) if (subject[field] !== undefined) checkValue(subject[field], `subject.${field}`)
  if (tags === undefined) return subject
  if (typeof tags !== "object" || tags === null || Array.isArray(tags))
    throw new InvalidArgumentError("subject.tags", 'an object of strings such as { team: "search" }', tags)
  for (const [tag, value] of Object.entries(subject.tags!))
    checkValue(value, `subject.tags[${JSON.stringify(tag.slice(0, 40))}]`)
  return subject
}
