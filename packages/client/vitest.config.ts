import { mergeConfig } from "vitest/config"
import { packageTests } from "../../vitest.shared.ts"

// The whole suite against the next major version of the SDK: P2_OPENAI=7 npx vitest run (needs Node 22 or later).
const sdk = process.env.P2_OPENAI === "7" ? [{ find: /^openai$/, replacement: "openai7" }] : []

export default mergeConfig(packageTests({ typecheck: true }), { resolve: { alias: sdk } })
