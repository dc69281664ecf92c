import type { BilledUnits } from "../ledger"
import type { GeminiAnswer } from "./answer"
import { totalInput } from "./count"
import type { GeminiModel } from "./rates"

/** The bill of an answer, by kind of unit. Images and video cost as much as text. */
export function billGemini(model: GeminiModel, answer: GeminiAnswer): BilledUnits[] {
  const { input, toolInput } = answer
  const isLong = model.longRates !== undefined && totalInput(input) + toolInput > 200_000
  const rates = isLong ? model.longRates! : model.rates
  const fees = model.search.per === "query" ? answer.searches : Math.min(answer.searches, 1)
  return [
    { kind: "input", count: input.text - input.cached + input.image + toolInput, picoUsdPerUnit: rates.input },
    { kind: "cacheRead", count: input.cached, picoUsdPerUnit: rates.cacheRead },
    { kind: "audioInput", count: input.audio, picoUsdPerUnit: rates.audioInput },
    { kind: "output", count: answer.outputTokens + answer.thoughtTokens, picoUsdPerUnit: rates.output },
    { kind: "search", count: fees, picoUsdPerUnit: model.search.picoUsd },
  ]
}
