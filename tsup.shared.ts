import { defineConfig } from "tsup"

/**
 * One build for every package: ESM and CommonJS with types, no minifying (users read stack traces).
 * An entry `src/redis.ts` becomes the sub-path `./redis`.
 */
export function packageBuild(entry: string[], options: { platform?: "neutral" | "node"; shims?: boolean } = {}) {
  return defineConfig({
    entry,
    format: ["esm", "cjs"],
    target: "node20",
    platform: options.platform ?? "neutral",
    // Types come from the built types of neighbor packages, never from their sources.
    dts: { compilerOptions: { paths: {} } },
    clean: true,
    splitting: true,
    // For `import.meta.url` in CommonJS.
    shims: options.shims ?? false,
    // `node:sqlite` has no name without its prefix, and the import tests look for the prefix.
    removeNodeProtocol: false,
    external: [/^node:/],
    treeshake: false,
    sourcemap: false,
  })
}
