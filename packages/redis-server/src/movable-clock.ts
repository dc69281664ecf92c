import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from "node:fs"
import { join } from "node:path"
import { cacheFolder, repositoryRoot } from "../fetch.mjs"

/** Moves the clock of a process started with `env`. */
export interface MovableClock {
  readonly env: Readonly<Record<string, string>>
  /** From now on, the process sees the system's time plus this offset. */
  move(offsetMs: number): void
}

/**
 * A clock whose offset is kept in a file of `folder`, by a small library that the machine's C compiler builds from
 * movable-clock.c. Undefined without a compiler. (Debian's libfaketime does not work with the jemalloc of Debian's
 * redis-server.)
 */
export function createMovableClock(folder: string): MovableClock | undefined {
  const library = compileLibrary()
  if (library === undefined) return undefined
  const file = join(folder, "clock-offset")
  writeFileSync(file, Buffer.alloc(8))
  return {
    env: { LD_PRELOAD: library, P2_CLOCK_OFFSET_FILE: file },
    move: (offsetMs) => {
      const offset = Buffer.alloc(8)
      offset.writeBigInt64LE(BigInt(offsetMs))
      // Written in place, because the process has the file mapped into memory.
      const opened = openSync(file, "r+")
      writeSync(opened, offset, 0, 8, 0)
      closeSync(opened)
    },
  }
}

/** Whether `createMovableClock` works here. */
export function hasMovableClock(): boolean {
  return compileLibrary() !== undefined
}

/** The path of the library, compiled once for each version of its source. Undefined without a compiler. */
function compileLibrary(): string | undefined {
  if (process.platform !== "linux") return undefined
  const source = join(repositoryRoot(), "packages", "redis-server", "movable-clock.c")
  if (!existsSync(source)) return undefined
  const version = createHash("sha1").update(readFileSync(source)).digest("hex").slice(0, 12)
  const library = join(cacheFolder(), `movable-clock-${process.arch}-${version}.so`)
  if (existsSync(library)) return library
  mkdirSync(cacheFolder(), { recursive: true })
  const made = `${library}.${process.pid}`
  const compiles = (compiler: string) =>
    spawnSync(compiler, ["-shared", "-fPIC", "-O1", "-o", made, source], { stdio: "ignore" }).status === 0
  if (!["cc", "gcc", "clang", "tcc"].some(compiles)) return undefined
  renameSync(made, library)
  return library
}
