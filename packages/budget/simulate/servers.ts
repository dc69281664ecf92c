import { memoryStore } from "../src/memory-store"
import type { ModelOptions, ModelStore } from "../src/testing/model"
import type { SimulatedServer } from "./world"

type ModelClass = new (options: ModelOptions) => ModelStore

/** The memory store on virtual time. */
export const memoryServer: SimulatedServer = {
  async open(now) {
    const store = memoryStore({ clock: now })
    return { store, root: "main", close: async () => {} }
  },
}

/** A store that is right but for one thing, to see that the simulation finds it. */
export function plantedServer(Store: ModelClass): SimulatedServer {
  return {
    open: async (now) => ({ store: new Store({ now }), root: "main", close: async () => {} }),
  }
}
