import { expect, it } from "vitest"
import { STATED_RISK, simulateCalibration } from "../../input-bound/simulate-calibration"

it("exceeds calibrated bounds within the stated risk, and hard bounds never, while text and tokenizer change", async () => {
  const { calls, calibrated, exceeded, hardExceeded, ratio, hardRatio } = await simulateCalibration({
    calls: 6_000,
    seed: "1",
    inFlight: 10,
  })
  expect(hardExceeded).toBe(0)
  expect(calibrated).toBeGreaterThan(calls / 4)
  expect(exceeded / calibrated).toBeLessThanOrEqual(STATED_RISK)
  expect(ratio).toBeLessThan(hardRatio / 2)
})
