import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from "node:fs"
import { join } from "node:path"
import { cacheFolder, fetchFaketime, repositoryRoot } from "../fetch.mjs"

/** Moves the clock of a process that was started with `env`. */
export interface MovableClock {
  readonly env: Readonly<Record<string, string>>
  /** From now on the process sees the system's time plus this. */
  move(offsetMs: number): void
}

/**
 * A clock whose offset is kept in a file of `folder`: by a small library that the machine's compiler makes of
 * movable-clock.c, or by Debian's libfaketime (`P2_FAKETIME=1`: always by that). Undefined where neither is at hand.
 */
export function createMovableClock(folder: string): MovableClock | undefined {
  if (process.platform !== "linux") return undefined
  const compiled = compileLibrary()
  if (compiled !== undefined) return compiledClock(compiled, join(folder, "clock-offset"))
  const faketime = fetchFaketime()
  return faketime === undefined ? undefined : faketimeClock(faketime, join(folder, "clock-offset"))
}

/** Whether `createMovableClock` works here. */
export function hasMovableClock(): boolean {
  return process.platform === "linux" && (compileLibrary() ?? fetchFaketime()) !== undefined
}

/** The path of the library, compiled once for each version of its source. Undefined without a compiler. */
function compileLibrary(): string | undefined {
  if (process.env.P2_FAKETIME === "1") return undefined
  const source = join(repositoryRoot(), "packages", "redis-server", "movable-clock.c")
  if (!existsSync(source)) return undefined
  const version = createHash("sha1").update(readFileSync(source)).digest("hex").slice(0, 12)
  const library = join(cacheFolder(), `movable-clock-${process.arch}-${version}.so`)
  if (existsSync(library)) return library
  mkdirSync(cacheFolder(), { recursive: true })
  const made = `${library}.${process.pid}`
  const { status } = spawnSync("cc", ["-shared", "-fPIC", "-O1", "-o", made, source], { stdio: "ignore" })
  if (status !== 0) return undefined
  renameSync(made, library)
  return library
}

function compiledClock(library: string, file: string): MovableClock {
  writeFileSync(file, Buffer.alloc(8))
  return {
    env: { LD_PRELOAD: library, P2_CLOCK_OFFSET_FILE: file },
    move: (offsetMs) => {
      const offset = Buffer.alloc(8)
      offset.writeBigInt64LE(BigInt(offsetMs))
      // In place: the process has the file mapped into its memory.
      const opened = openSync(file, "r+")
      writeSync(opened, offset, 0, 8, 0)
      closeSync(opened)
    },
  }
}

function faketimeClock(library: string, file: string): MovableClock {
  const move = (offsetMs: number) => writeFileSync(file, `${offsetMs < 0 ? "-" : "+"}${Math.abs(offsetMs) / 1_000}`)
  move(0)
  return {
    env: {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
    },
    move,
  }
}
