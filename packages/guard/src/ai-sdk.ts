export { CallRejectedError } from "./ai-sdk/call-rejected-error"
export { type BudgetMiddleware, budgetMiddleware } from "./ai-sdk/middleware"
export type { BudgetMiddlewareOptions } from "./ai-sdk/middleware-options"
