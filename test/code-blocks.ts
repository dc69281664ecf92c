import { execFile } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import ts from "typescript"
import { root } from "./workspace"

/** The type errors of these files, checked against the built packages as a user's would be. */
export function typeProblems(files: readonly string[]): { file: string | undefined; message: string }[] {
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2022,
    lib: ["lib.es2023.d.ts", "lib.esnext.disposable.d.ts"],
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    skipLibCheck: true,
    types: ["node"],
    typeRoots: [join(root, "node_modules", "@types")],
  }
  return ts.getPreEmitDiagnostics(ts.createProgram([...files], options)).map((diagnostic) => ({
    file: diagnostic.file?.fileName,
    message: ts.flattenDiagnosticMessageText(diagnostic.messageText, "\n"),
  }))
}

/** Compiles a TypeScript file to an `.mjs` file next to it, and returns that path. */
export function transpile(file: string, code: string): string {
  const compilerOptions = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext }
  const program = file.replace(/\.ts$/, ".mjs")
  writeFileSync(program, ts.transpileModule(code, { compilerOptions }).outputText)
  return program
}

/** The result of a process. */
export interface Execution {
  stdout: string
  stderr: string
  code: number
  /** The signal that killed it. */
  signal: string | undefined
}

/** Runs a program in a separate process with exactly this environment. */
export function execute(
  program: string,
  options: {
    cwd: string
    env: Record<string, string>
    nodeArguments?: readonly string[]
    programArguments?: readonly string[]
  },
): Promise<Execution> {
  const { cwd, nodeArguments = [], programArguments = [] } = options
  const env = { PATH: process.env.PATH, HOME: cwd, NO_COLOR: "1", TZ: "UTC", ...options.env }
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [...nodeArguments, program, ...programArguments],
      { cwd, env, timeout: 60_000 },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : 1
        resolve({ stdout, stderr, code, signal: error?.signal ?? undefined })
      },
    )
  })
}

const API_KEYS = ["ANTHROPIC_API_KEY", "GEMINI_API_KEY", "OPENAI_API_KEY", "OPENROUTER_API_KEY"]

/** Arguments and environment that redirect calls from the providers' hosts to a local provider. */
export function withLocalHosts(url: string): { nodeArguments: string[]; env: Record<string, string> } {
  return {
    nodeArguments: ["--import", join(root, "test", "local-hosts.mjs")],
    env: { P2_LOCAL_PROVIDER: url, ...Object.fromEntries(API_KEYS.map((name) => [name, "local"])) },
  }
}

/** Matches an output in which `…` stands for anything on its line. */
export function outputPattern(output: string): RegExp {
  const lines = output.split("\n").map((line) =>
    line
      .trimEnd()
      .split("…")
      .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"))
      .join(".*"),
  )
  return new RegExp(`^${lines.join("[ \\t]*\\n")}[ \\t]*$`)
}
