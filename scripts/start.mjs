// Builds what the demo needs (from cache when nothing changed) and runs it with the arguments given.
// Plain node, not turbo, runs the demo: turbo would hide OPENAI_API_KEY from it.
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { runTurbo } from "./turbo.mjs"

const status = runTurbo(["build", "--filter=@p2/demo...", "--output-logs=errors-only"], { quiet: true })
if (status !== 0) process.exit(status)

const demo = fileURLToPath(new URL("../apps/demo/dist/main.js", import.meta.url))
const child = spawn(process.execPath, [demo, ...process.argv.slice(2)], { stdio: "inherit" })
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal))
child.on("exit", (code, signal) => process.exit(code ?? (signal === null ? 0 : 1)))
