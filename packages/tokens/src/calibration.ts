import { InvalidArgumentError, parseModelId } from "@p2/core"

/** Models and shapes that are remembered; the one that was not used for longest leaves. */
const REMEMBERED = 1000

/** Weight of one report; later reports count more than earlier ones. */
const WEIGHT = 0.3

/** What was counted, and what the provider reported for the same request. */
export interface TokenReport {
  /** `tokens` of {@link RequestTokens}, counted with this calibration. */
  counted: number
  /** Input tokens that the provider reported. */
  reported: number
  /** `shape` of {@link RequestTokens}. @defaultValue "text" */
  shape?: string | undefined
}

/** Learns from reports how far estimates are off, by model and shape of the prompt. */
export interface TokenCalibration {
  /** Feeds a report back. Changes later estimates of this calibration, never an upper bound downwards. */
  calibrate(model: string, report: TokenReport): void
  /** What an estimate is multiplied with; 1 without reports, from 0.25 to 4. */
  factor(model: string, shape?: string): number
}

/** A calibration of its own: nothing is shared between two of them. */
export function createCalibration(): TokenCalibration {
  const factors = new Map<string, number>()
  const factor = (model: string, shape = "text") => factors.get(`${shape} ${model}`) ?? 1
  return {
    factor,
    calibrate(model, report) {
      parseModelId(model)
      if (typeof report !== "object" || report === null) throw new InvalidArgumentError("report", "an object", report)
      const { counted, reported, shape = "text" } = report
      for (const [name, value] of Object.entries({ counted, reported }))
        if (!Number.isFinite(value) || value <= 0) throw new InvalidArgumentError(name, "a number above 0", value)
      const key = `${shape} ${model}`
      const next = factor(model, shape) * (reported / counted) ** WEIGHT
      factors.delete(key)
      factors.set(key, Math.min(4, Math.max(0.25, next)))
      if (factors.size > REMEMBERED) factors.delete(factors.keys().next().value!)
    },
  }
}
