import { describe, it } from "vitest"
import { defineStoreSuite } from "../../src/testing"
import { modelFactory } from "./model-target"

defineStoreSuite({ describe, it }, modelFactory(), { name: "the model", limits: { processes: "one process" } })
