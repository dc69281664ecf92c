/**
 * Measures in a new process: `node --expose-gc bench/child.mjs <name> <cold|memory>`. Prints the milliseconds of the import
 * and the first count, or the bytes in use after the first count and after 20 MB of text.
 */
const LOADERS = {
  "@p2/tokens": async () => (await import("../dist/o200k_base.js")).countTokens,
  "gpt-tokenizer": async () => (await import("gpt-tokenizer/encoding/o200k_base")).countTokens,
}

const [name, what] = process.argv.slice(2)
const bytesInUse = () => {
  globalThis.gc()
  globalThis.gc()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

if (what === "cold") {
  const start = performance.now()
  const cpu = process.cpuUsage()
  const count = await LOADERS[name]()
  count("Hello, world: the first count of a fresh process.")
  const used = process.cpuUsage(cpu)
  console.log(JSON.stringify({ wallMs: performance.now() - start, cpuMs: (used.user + used.system) / 1000 }))
} else {
  const before = bytesInUse()
  const count = await LOADERS[name]()
  count("Hello, world")
  const first = bytesInUse()
  for (let index = 0; index < 20; index++) {
    let text = ""
    let state = index + 1
    while (text.length < 1_000_000) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      text += `${state.toString(36)} ${String.fromCharCode(0x4e00 + (state % 20000))}${state % 1000} `
    }
    count(text)
  }
  console.log(JSON.stringify({ bytes: first - before, growth: bytesInUse() - first }))
}
