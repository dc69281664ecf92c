import type { SuiteFactory } from "../../src/testing"
import { type ModelOptions, ModelStore } from "../../src/testing/model"

/** A start like any other, at the end of a month in no zone's favour. */
export const START = Date.UTC(2026, 0, 31, 23, 0, 0)

/** Targets over the model, or over one that breaks a rule of it. */
export function modelFactory(Store: new (options: ModelOptions) => ModelStore = ModelStore): SuiteFactory {
  return () => {
    let now = START
    const clock = {
      now: () => now,
      advance: (ms: number) => {
        now += ms
      },
    }
    const store = new Store({ now: clock.now })
    return { store, clock, size: () => store.size() }
  }
}
