import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join, relative } from "node:path"
import { fileURLToPath } from "node:url"

export const root = fileURLToPath(new URL("..", import.meta.url))

export interface Manifest {
  name: string
  version: string
  private?: boolean
  /** Commands, for a package without other entries. */
  bin?: Record<string, string>
  exports?: Record<string, unknown>
  dependencies?: Record<string, string>
  peerDependencies?: Record<string, string>
  peerDependenciesMeta?: Record<string, { optional?: boolean }>
  scripts?: Record<string, string>
}

export interface Package {
  folder: string
  manifest: Manifest
}

/** The packages of `packages/`, in order of name. */
export const packages: Package[] = readdirSync(join(root, "packages"))
  .map((name) => join(root, "packages", name))
  .filter((folder) => existsSync(join(folder, "package.json")))
  .map((folder) => ({ folder, manifest: JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest }))

/** The packages that users install. */
export const published = packages.filter((entry) => entry.manifest.private !== true)

/** Every file below a folder whose name ends with this, without build output and dependencies. */
export function filesBelow(folder: string, endings: string[]): string[] {
  const found: string[] = []
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (["node_modules", "dist", ".turbo", ".cache", ".git", "coverage"].includes(entry.name)) continue
    const path = join(folder, entry.name)
    if (entry.isDirectory()) found.push(...filesBelow(path, endings))
    else if (endings.some((ending) => entry.name.endsWith(ending))) found.push(path)
  }
  return found.sort()
}

export function fromRoot(path: string): string {
  return relative(root, path)
}
