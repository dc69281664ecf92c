import { type Command, CommanderError } from "commander"
import { EXIT, exitCodeOf } from "./output/exit-codes"
import { printError } from "./output/print-error"
import { printableLines } from "./output/table"

/**
 * Parses the arguments and runs the command. Errors become one or two lines on stderr and an exit code. Ends the process only
 * by its exit code, so that output that is being written is not lost.
 */
export async function runProgram(program: Command, argv: readonly string[]): Promise<void> {
  rejectByException(program)
  process.stdout.on("error", endAtClosedPipe)
  // A program under `p2 run` continues when the stderr of p2 is closed.
  process.stderr.on("error", () => {})
  try {
    await program.parseAsync(argv)
  } catch (error) {
    process.exitCode = await report(error)
  }
}

/** Commander exits with 1 on its own. It has printed its message when it throws. */
function rejectByException(command: Command): void {
  command.exitOverride().configureOutput({
    outputError: (text, write) => write(printableLines(withSuggestion(text.replace(/^error: /, "p2: "), command))),
  })
  command.commands.forEach(rejectByException)
}

/** Names of options in other tools. Commander suggests only the nearest spelling. */
const SYNONYMS: Readonly<Record<string, readonly string[]>> = {
  "--limit": ["--rows", "--budget"],
  "--last": ["--rows"],
  "--tz": ["--time-zone"],
  "--max-cost": ["--budget"],
  "--max-spend": ["--budget"],
  "--cap": ["--budget"],
  "--encoding": ["--model"],
  "--in": ["--input"],
  "--out": ["--output"],
}

/** Adds the option that was probably meant, or where the options are listed. */
function withSuggestion(text: string, command: Command): string {
  const names = SYNONYMS[/^p2: unknown option '([\w-]+)'/.exec(text)?.[1] ?? ""]
  const meant = names?.find((name) => command.options.some(({ long }) => long === name))
  if (meant !== undefined) return `${text.split("\n")[0]}\n(Did you mean ${meant}?)\n`
  if (!/^p2: (unknown option|too many arguments)/.test(text) || text.includes("Did you mean")) return text
  return `${text.trimEnd()}\nRun \`${pathOf(command)} --help\` for its arguments and options.\n`
}

/** For example `p2 keys create`. */
function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`
}

/** `p2 models | head` reads no further. */
function endAtClosedPipe({ code = "unknown error" }: NodeJS.ErrnoException): void {
  if (code === "EPIPE") process.exit(EXIT.ok)
  process.stderr.write(`p2: The output could not be written (${code}).\n`)
  process.exit(EXIT.failed)
}

async function report(error: unknown): Promise<number> {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage
  printError(error)
  return exitCodeOf(error)
}
