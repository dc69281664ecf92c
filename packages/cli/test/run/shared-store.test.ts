import { it } from "vitest"
import { createRuns } from "./shared-store-cases"

const threeRuns = createRuns()

it("concurrent runs of one user share the limit in a file", () => threeRuns("file:shared.db", "ada"))
