import { afterAll, afterEach, beforeAll, expect, it } from "vitest"
import { type CliWorld, createCliWorld } from "../support/run-cli"
import { openTerminal, type Terminal } from "../support/terminal"

const CTRL_C = "\u0003"
const CTRL_Z = "\u001a"

let world: CliWorld
let terminal: Terminal

beforeAll(async () => {
  world = await createCliWorld()
})
afterEach(() => terminal.kill())
afterAll(() => world.close())

function open(command: string, ...args: string[]): Terminal {
  terminal = openTerminal(command, args, {
    ...{ PATH: process.env.PATH!, HOME: world.folder, P2_HOME: `${world.folder}/home`, TERM: "xterm", PS1: "prompt> " },
    OPENAI_API_KEY: "sk-planted-0123456789",
  })
  return terminal
}

const run = (code: string, ...options: string[]) =>
  open(
    process.execPath,
    ...["--no-warnings", world.cliFile, "run", "--budget", "1", "--store", "memory:", ...options],
    ...["--", process.execPath, "--input-type=module", "-e", code],
  )

it("the program has the terminal, and Ctrl-C reaches it once", async () => {
  const { shows, write, ended } = run(`
    import { openSync } from "node:fs"
    openSync("/dev/tty", "r+")
    let count = 0
    process.on("SIGINT", () => { count++; setTimeout(() => console.log("interrupted " + count + "."), 200) })
    process.stdin.on("data", (line) => { console.log("read " + line.toString().trim()); process.exit(4) })
    console.log("terminal " + process.stdin.isTTY + process.stdout.isTTY + " " + process.stdout.columns)`)
  await shows("terminal truetrue 80")
  write(CTRL_C)
  await shows("interrupted 1.")
  write("hello\r")
  await shows("read hello")
  await shows("remaining: $1.00 of $1.00 of the run")
  expect(await ended).toEqual({ code: 4, signal: 0 })
})

it("a second Ctrl-C kills a program that ignores the first", async () => {
  const program = run(`
    process.on("SIGINT", () => console.log("ignored"))
    setInterval(() => {}, 1_000)
    console.log("ready")`)
  await program.shows("ready")
  program.write(CTRL_C)
  await program.shows("ignored")
  // On a busy machine, two may arrive too far apart, or as one.
  const presses = setInterval(() => program.write(CTRL_C), 100)
  try {
    expect((await program.ended).signal).toBe(9)
  } finally {
    clearInterval(presses)
  }
  expect(program.output).toContain("no calls")
})

it("Ctrl-Z stops p2 and the program, and fg continues both", async () => {
  const { shows, write } = open("bash", "--norc", "--noprofile", "-i")
  await shows("prompt> ")
  const command = `"${process.execPath}" --no-warnings "${world.cliFile}" run --budget 1 --store memory:`
  // The program reports when it runs again: before that, Ctrl-C could reach the shell instead.
  const code =
    'setInterval(() => {}, 1e3); process.on("SIGCONT", () => console.log("aga" + "in")); console.log("rea" + "dy")'
  write(`${command} -- "${process.execPath}" -e '${code}'\r`)
  await shows("ready")
  write(CTRL_Z)
  await shows("Stopped")
  await shows("prompt> ")
  write("fg\r")
  await shows("again")
  write(CTRL_C)
  await shows("no calls")
  write("echo code=$?\r")
  await shows("code=130")
})

it("--watch keeps one line at the bottom, and removes it", async () => {
  const program = run('console.log("ready"); process.stdin.on("data", () => process.exit())', "--watch")
  await program.shows("ready")
  await program.shows(
    "\u001b[24;1H\u001b[2Kp2: spent $0.00 · reserved $0.00 · remaining $1.00 · calls 0 · denied 0\u001b8",
  )
  program.write("\r")
  await program.shows("\u001b[r\u001b[24;1H\u001b[2K\u001b8")
  await program.shows("no calls")
  expect((await program.ended).code).toBe(0)
})
