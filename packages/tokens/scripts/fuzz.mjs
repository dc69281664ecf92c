import { parseArgs } from "node:util"
import { get_encoding } from "tiktoken"
import * as cl100k from "../dist/cl100k_base.js"
import * as o200k from "../dist/o200k_base.js"
import * as p50k from "../dist/p50k_base.js"
import * as r50k from "../dist/r50k_base.js"
import { fuzzString, randomOf } from "./fuzz-strings.mjs"

const HELP = `pnpm fuzz [--strings N] [--encoding NAME] [--seed N]

Compares our tokens with tiktoken's on seeded strings. Needs a build. At the first difference, prints the string and exits
with code 1.

  --strings N      strings for each encoding (50000)
  --encoding NAME  o200k_base, cl100k_base, p50k_base or r50k_base; without it all of them
  --seed N         of the strings (1)`

const { values } = parseArgs({
  args: process.argv.slice(2).filter((argument) => argument !== "--"),
  options: {
    help: { type: "boolean", short: "h", default: false },
    strings: { type: "string", default: "50000" },
    encoding: { type: "string" },
    seed: { type: "string", default: "1" },
  },
})
const encodings = [o200k, cl100k, p50k, r50k]
if (values.help) {
  console.log(HELP)
  process.exit(0)
}
// Zero strings would pass without a comparison.
for (const option of ["strings", "seed"])
  if (!/^[1-9]\d*$/.test(values[option]))
    throw new Error(`Invalid --${option}: expected an integer of at least 1, got ${values[option]}.\n\n${HELP}`)
if (values.encoding !== undefined && !encodings.some(({ encoding }) => encoding.name === values.encoding))
  throw new Error(
    `Invalid --encoding: expected o200k_base, cl100k_base, p50k_base or r50k_base, got ${values.encoding}.\n\n${HELP}`,
  )

const wellFormed = (text) => Buffer.from(text, "utf8").toString("utf8")

for (const ours of encodings) {
  const { name } = ours.encoding
  if (values.encoding !== undefined && values.encoding !== name) continue
  const reference = get_encoding(name)
  const random = randomOf(Number(values.seed))
  const strings = Number(values.strings)
  for (let index = 0; index < strings; index++) {
    const text = fuzzString(random)
    const tokens = ours.encode(text)
    const expected = reference.encode_ordinary(text)
    const isSame =
      tokens.length === expected.length &&
      tokens.every((token, at) => token === expected[at]) &&
      ours.countTokens(text) === expected.length &&
      ours.decode(tokens) === wellFormed(text)
    if (isSame) continue
    console.error(`${name}, string ${index}: ${JSON.stringify(text)}\n  ours ${tokens}\n  tiktoken ${expected}`)
    process.exit(1)
  }
  console.log(`${name}: ${strings} strings, no difference (Node ${process.version})`)
  reference.free()
}
