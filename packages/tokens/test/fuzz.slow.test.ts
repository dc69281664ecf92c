import { testAgainstTiktoken } from "./fuzz-cases"

testAgainstTiktoken({ strings: Number(process.env.P2_FUZZ_STRINGS ?? 50_000), seed: 1 })
