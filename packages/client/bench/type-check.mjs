// Measures how long the compiler checks a program with a client of 20 tools and an answer of 50 fields, beside a program that
// only imports the same packages. Run after a build: pnpm bench:types
import { execFileSync } from "node:child_process"
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

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

const folder = fileURLToPath(new URL(`../.cache/type-check-${process.pid}`, import.meta.url))
const tsc = fileURLToPath(new URL("../../../node_modules/typescript/bin/tsc", import.meta.url))
mkdirSync(folder, { recursive: true })
try {
  for (const [name, program] of Object.entries(programs)) {
    const file = `${folder}/${name}.ts`
    writeFileSync(file, program)
    const options = ["--noEmit", "--strict", "--exactOptionalPropertyTypes", "--skipLibCheck", "--extendedDiagnostics"]
    const language = ["--target", "es2022", "--module", "nodenext", "--types", "node"]
    const runs = Array.from({ length: 3 }, () =>
      execFileSync("node", [tsc, ...options, ...language, file], { encoding: "utf8" }),
    )
    const figure = (label) =>
      Math.min(...runs.map((output) => Number(new RegExp(`^${label}:\\s+([\\d.]+)`, "m").exec(output)[1])))
    const [check, instantiations, types] = ["Check time", "Instantiations", "Types"].map(figure)
    console.log(`${name.padEnd(8)} check ${check.toFixed(2)} s, ${instantiations} instantiations, ${types} types`)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
