// Time to import, to compile a schema and to read an answer, with the built package: `pnpm bench` in this folder.
// Imports are timed in separate processes; the rest interleaved in this one.
import { execFileSync } from "node:child_process"
import { z } from "zod"
import { compileAnswer } from "../dist/index.js"

const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]

function importMs(specifier) {
  const code = `const t = performance.now(); await import(${JSON.stringify(specifier)}); console.log(performance.now() - t)`
  return Number(
    execFileSync(process.execPath, ["--input-type=module", "-e", code], { cwd: import.meta.dirname ?? "." }),
  )
}

const core = new URL("../dist/index.js", import.meta.url).href
const zod = import.meta.resolve("zod")
const imports = { core: [], zod: [], nothing: [] }
for (let round = 0; round < 9; round++) {
  imports.core.push(importMs(core))
  imports.zod.push(importMs(zod))
  imports.nothing.push(importMs("node:path"))
}
for (const [name, values] of Object.entries(imports)) console.log(`import ${name}: ${median(values).toFixed(1)} ms`)

const schemas = () =>
  z.object({
    name: z.string(),
    age: z.int().optional(),
    interests: z.array(z.string()),
    address: z.object({ street: z.string(), at: z.date().nullable() }),
  })
const text = JSON.stringify({
  name: "David",
  age: null,
  interests: ["sea", "books"],
  address: { street: "x", at: "1850-11-01T00:00:00Z" },
})
// Zod compiles a schema on its first use, so parsing is timed on one that was used.
const warm = compileAnswer(schemas())
const first = []
const second = []
const jsonSchema = []
const parse = []
const plain = []
for (let round = 0; round < 2_000; round++) {
  const schema = schemas()
  const marks = [performance.now()]
  compileAnswer(schema)
  marks.push(performance.now())
  compileAnswer(schema)
  marks.push(performance.now())
  z.toJSONSchema(schema, { io: "input", unrepresentable: "any" })
  marks.push(performance.now())
  warm.parse(text)
  warm.parse(text)
  marks.push(performance.now())
  JSON.parse(text)
  JSON.parse(text)
  marks.push(performance.now())
  const spent = marks.slice(1).map((mark, index) => (mark - marks[index]) * 1_000)
  for (const [index, list] of [first, second, jsonSchema, parse, plain].entries()) list.push(spent[index])
}
console.log(`compileAnswer, first: ${median(first).toFixed(1)} µs; again: ${median(second).toFixed(2)} µs`)
console.log(
  `z.toJSONSchema of the same schema: ${median(jsonSchema).toFixed(1)} µs (ratio ${(median(first) / median(jsonSchema)).toFixed(2)})`,
)
console.log(`parse: ${(median(parse) / 2).toFixed(1)} µs; JSON.parse alone: ${(median(plain) / 2).toFixed(1)} µs`)
