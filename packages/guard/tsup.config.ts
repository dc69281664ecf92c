import { packageBuild } from "../../tsup.shared"

export default packageBuild([
  "src/index.ts",
  "src/protocols.ts",
  "src/charge.ts",
  "src/transport.ts",
  "src/ai-sdk.ts",
  "src/proxy.ts",
  "src/proxy/node.ts",
])
