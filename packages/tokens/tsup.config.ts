import { packageBuild } from "../../tsup.shared"

export default packageBuild([
  "src/index.ts",
  "src/o200k_base.ts",
  "src/o200k_harmony.ts",
  "src/cl100k_base.ts",
  "src/p50k_base.ts",
  "src/r50k_base.ts",
])
