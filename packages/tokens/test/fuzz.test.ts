import { testAgainstTiktoken } from "./fuzz-cases"

testAgainstTiktoken({ strings: 3_000, seed: 2 })
