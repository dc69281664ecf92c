import type { Definition } from "../candidate"
import { aiSdk } from "./ai-sdk"
import { checkThenCall } from "./check-then-call"
import { llmCostGuard } from "./llm-cost-guard"
import { llmSpendGuard } from "./llm-spend-guard"
import { p2 } from "./p2"
import { rateLimiterFlexible } from "./rate-limiter-flexible"

export const CANDIDATES: readonly Definition[] = [
  p2,
  rateLimiterFlexible,
  llmSpendGuard,
  llmCostGuard,
  checkThenCall,
  aiSdk,
]
