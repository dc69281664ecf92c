import type { BilledUnits } from "../ledger"
import type { ClaudeAnswer } from "./answer"
import { totalInput } from "./count"
import { type ClaudeModel, PICO_USD_PER_SEARCH } from "./rates"
import type { ClaudeRequest } from "./request"

/** The bill of an answer, by kind of unit. */
export function billClaude(request: ClaudeRequest, model: ClaudeModel, answer: ClaudeAnswer): BilledUnits[] {
  const usual = request.speed === "fast" ? (model.fastRates ?? model.rates) : model.rates
  const { above } = model.rates
  const rates = above !== undefined && totalInput(answer.input) > above.inputTokens ? above.rates : usual
  const percent = 100 + (request.inference_geo === "us" ? model.usPercent : 0)
  const raised = (rate: number) => Math.ceil((rate * percent) / 100)
  const { fresh, cacheRead, cacheWrite, cacheWrite1h } = answer.input
  return [
    { kind: "input", count: fresh, picoUsdPerUnit: raised(rates.input) },
    { kind: "cacheRead", count: cacheRead, picoUsdPerUnit: raised(rates.cacheRead) },
    { kind: "cacheWrite", count: cacheWrite, picoUsdPerUnit: raised(rates.cacheWrite) },
    { kind: "cacheWrite1h", count: cacheWrite1h, picoUsdPerUnit: raised(rates.cacheWrite1h) },
    { kind: "output", count: answer.outputTokens, picoUsdPerUnit: raised(rates.output) },
    { kind: "search", count: answer.searches, picoUsdPerUnit: PICO_USD_PER_SEARCH },
  ]
}
