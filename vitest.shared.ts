import { fileURLToPath } from "node:url"
import { configDefaults, defineConfig } from "vitest/config"

const root = fileURLToPath(new URL(".", import.meta.url))

/** `npm test -- --all` sets it: `*.slow.test.ts` and the tests of types run too. */
const runsSlowTests = process.env.P2_SLOW === "1"

/**
 * One test configuration for every package: neighbor packages are read from their sources, and counts are written to a
 * file.
 */
export function packageTests(options: { testTimeoutMs?: number; typecheck?: boolean } = {}) {
  return defineConfig({
    resolve: {
      alias: [
        { find: /^@p2\/([a-z-]+)\/package\.json$/, replacement: `${root}packages/$1/package.json` },
        { find: /^@p2\/([a-z-]+)$/, replacement: `${root}packages/$1/src/index.ts` },
        { find: /^@p2\/([a-z-]+)\/(.+)$/, replacement: `${root}packages/$1/src/$2.ts` },
      ],
    },
    test: {
      include: ["test/**/*.test.ts"],
      exclude: [...configDefaults.exclude, ...(runsSlowTests ? [] : ["**/*.slow.test.ts"])],
      // The files that one worker runs share what they import, so that it is loaded once.
      isolate: false,
      // Generous on purpose: a loaded machine is slow, and no test measures time.
      testTimeout: options.testTimeoutMs ?? 120_000,
      hookTimeout: 120_000,
      reporters: ["default", "json"],
      outputFile: { json: ".test-results.json" },
      typecheck: {
        enabled: runsSlowTests && options.typecheck === true,
        include: ["test/**/*.test-d.ts"],
        tsconfig: "./tsconfig.json",
      },
      maxWorkers: 2,
    },
  })
}
