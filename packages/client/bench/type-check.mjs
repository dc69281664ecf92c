// Measures how long the compiler takes to check a program with a client with 20 tools and an answer of 50 fields,
// compared with a program that only imports the same packages. Run after a build: pnpm bench:types
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import ts from "typescript"

const FIELDS = [
  "z.string()",
  "z.number()",
  "z.boolean().optional()",
  "z.array(z.string())",
  "z.object({ a: z.string() })",
]
const fields = (count) => Array.from({ length: count }, (_, index) => `field${index}: ${FIELDS[index % FIELDS.length]}`)
const object = (count) => `z.object({ ${fields(count).join(", ")} })`

const tools = Array.from(
  { length: 20 },
  (_, index) => `  tool${index}: tool({
    description: "Tool ${index}",
    parameters: ${object(10)},
    execute: async ({ field0, field1 }) => ({ text: field0, number: field1, list: [field0] }),
  }),`,
)
const imports = `import { LLMClient, tool } from "@p2/client"\nimport { z } from "zod"\n`
const programs = {
  imports: `${imports}export const used = [LLMClient, tool, z]\n`,
  client: `${imports}
const tools = {
${tools.join("\n")}
}
const client = new LLMClient({ model: "gpt-4o-mini", answerModel: ${object(50)} }, { tools, maxSteps: 5 })
const result = await client.generate()
if (result.ok && result.finishReason !== "tool-calls") console.log(result.answer.field0.length, result.answer.field4.a)
if (result.ok)
  for (const called of result.toolResults)
    if (called.name === "tool7" && called.status === "succeeded") console.log(called.output.text, called.input.field3.length)
for await (const partial of client.stream()) console.log(partial.field4?.a)
`,
}

const OPTIONS = {
  noEmit: true,
  strict: true,
  exactOptionalPropertyTypes: true,
  skipLibCheck: true,
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.NodeNext,
  types: ["node"],
}
const ROUNDS = 3

// Inside the package, where the compiler finds what is imported.
const folder = fileURLToPath(new URL(`../.cache/type-check-${process.pid}`, import.meta.url))
mkdirSync(folder, { recursive: true })
try {
  for (const [name, text] of Object.entries(programs)) {
    const file = `${folder}/${name}.ts`
    writeFileSync(file, text)
    const times = []
    let program
    for (let round = 0; round < ROUNDS; round++) {
      program = ts.createProgram([file], OPTIONS)
      const before = process.cpuUsage()
      const errors = program.getSemanticDiagnostics()
      times.push(process.cpuUsage(before).user / 1000)
      if (errors.length > 0) throw new Error(ts.formatDiagnostics(errors, ts.createCompilerHost(OPTIONS)))
    }
    const [types, instantiations] = [program.getTypeCount(), program.getInstantiationCount()]
    const list = times.map((time) => time.toFixed(0)).join(", ")
    console.log(`${name.padEnd(8)} ${list} ms of processor time, ${types} types, ${instantiations} instantiations`)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
