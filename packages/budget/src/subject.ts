/** On whose behalf a call is made: what scopes are looked up in. Values may come from strangers. */
export interface Subject {
  /** Groups the attempts of one request. @defaultValue the reservation's id */
  requestId?: string | undefined
  userId?: string | undefined
  clientId?: string | undefined
  model?: string | undefined
  tags?: Readonly<Record<string, string>> | undefined
}

/** Whose money a limit counts. `{ child }` is made by `budget.child()` only. */
export type Scope =
  | "request"
  | "user"
  | "client"
  | "total"
  | "model"
  | { readonly tag: string }
  | { readonly child: string }

/** What a cell counts in. Money is in nano-USD everywhere. */
export type Unit = "nanoUsd" | "tokens" | "requests"
