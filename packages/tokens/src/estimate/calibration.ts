import { checkOptions, InvalidArgumentError, LruMap, parseModelId } from "@p2/core"

/** Maximum number of models and shapes in a calibration. */
const CAPACITY = 1000

/** Weight of one report; later reports count more than earlier ones. */
const WEIGHT = 0.3

const MIN_FACTOR = 0.25
const MAX_FACTOR = 4

/** A count and the provider's number for the same request. */
export interface TokenReport {
  /** `tokens` of {@link RequestTokens}, counted with this calibration. */
  counted: number
  /** Input tokens that the provider reported. */
  reported: number
  /** `shape` of {@link RequestTokens}. @defaultValue "text" */
  shape?: string | undefined
}

/** Corrects estimates by what providers reported, for each model and shape of request. */
export interface TokenCalibration {
  /** Adds a report. It changes later estimates and never lowers an upper bound. @throws InvalidArgumentError */
  calibrate(model: string, report: TokenReport): void
  /** The factor by which an estimate is multiplied: from 0.25 to 4, and 1 without reports. */
  factor(model: string, shape?: string): number
}

const REPORT: ReadonlySet<string> = new Set(["counted", "reported", "shape"])

/**
 * Creates a calibration, independent of all others.
 *
 * @example
 * const calibration = createCalibration()
 * const { tokens, shape } = countRequestTokens({ model, messages, tools, calibration })
 * calibration.calibrate(model, { counted: tokens, reported: response.usage.prompt_tokens, shape })
 */
export function createCalibration(): TokenCalibration {
  const factors = new LruMap<string, number>(CAPACITY)
  const factor = (model: string, shape = "text") => factors.get(`${shape} ${model}`) ?? 1
  return {
    factor,
    calibrate(model, report) {
      parseModelId(model)
      checkOptions(report, REPORT, "report", { tokens: "Did you mean `counted`?", usage: "Did you mean `reported`?" })
      const { counted, reported, shape = "text" } = report
      for (const [name, value] of Object.entries({ counted, reported }))
        if (!Number.isFinite(value) || value <= 0)
          throw new InvalidArgumentError(`report.${name}`, "a number above 0", value)
      const next = factor(model, shape) * (reported / counted) ** WEIGHT
      factors.set(`${shape} ${model}`, Math.min(MAX_FACTOR, Math.max(MIN_FACTOR, next)))
    },
  }
}
