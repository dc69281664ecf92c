import { CalibratedBounds } from "./calibrated/calibrated-bounds"
import { hardBound, type InputBoundMode, type InputBounds } from "./input-bounds"
import { ProviderBounds } from "./provider/provider-bounds"

export function createInputBounds(mode: InputBoundMode = "hard"): InputBounds {
  switch (mode) {
    case "hard":
      return { bound: async ({ described }) => hardBound(described) }
    case "provider":
      return new ProviderBounds()
    case "calibrated":
      return new CalibratedBounds()
  }
}
