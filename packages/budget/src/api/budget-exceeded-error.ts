export class BudgetExceededError extends Error {}
