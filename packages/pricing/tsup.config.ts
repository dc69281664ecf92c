import { packageBuild } from "../../tsup.shared"

export default packageBuild([
  "src/index.ts",
  "src/openai.ts",
  "src/anthropic.ts",
  "src/google.ts",
  "src/openrouter.ts",
  "src/usage.ts",
])
