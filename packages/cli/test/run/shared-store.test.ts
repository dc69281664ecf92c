import { it } from "vitest"
import { createRuns } from "./shared-store-cases"

const threeRuns = createRuns()

it("runs of one user at once share the limit in a file", () => threeRuns("file:shared.db", "ada"))
