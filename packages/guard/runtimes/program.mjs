import { smoke } from "./smoke.mjs"

const args = globalThis.Deno?.args ?? process.argv.slice(2)
console.log(JSON.stringify(await smoke(args[0])))
