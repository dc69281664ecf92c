import { packageTests } from "./vitest.shared.ts"

// Tests of the repository: layout, direction of imports, packed packages, the code in the READMEs.
export default packageTests({ testTimeoutMs: 240_000 })
