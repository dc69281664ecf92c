/** Whose call it is: scopes are looked up in it. Values may come from strangers. */
export interface Subject {
  /** Groups the attempts of one request. @defaultValue the idempotency key */
  requestId?: string | undefined
  userId?: string | undefined
  clientId?: string | undefined
  model?: string | undefined
  tags?: Readonly<Record<string, string>> | undefined
}

/** Whose spending a limit counts. `{ child }` is made by `budget.child()` only. */
export type Scope =
  | "request"
  | "user"
  | "client"
  | "total"
  | "model"
  | { readonly tag: string }
  | { readonly child: string }

/** What a counter counts in: nano-USD, tokens or requests. */
export type Unit = "nanoUsd" | "tokens" | "requests"
