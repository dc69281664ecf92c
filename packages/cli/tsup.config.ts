import { build } from "esbuild"
import { defineConfig } from "tsup"

export default defineConfig({
  // `dashboard` is the sub-path `@p2/cli/dashboard`.
  entry: ["src/main.ts", "src/dashboard.ts"],
  format: ["esm"],
  target: "node20",
  platform: "node",
  splitting: true,
  clean: true,
  // Types come from the built types of neighbor packages, never from their sources.
  dts: { entry: "src/dashboard.ts", compilerOptions: { paths: {} } },
  // `node:sqlite` has no name without its prefix.
  removeNodeProtocol: false,
  onSuccess: buildDashboardPage,
})

/** What browsers load. Preact and uPlot are bundled, so that the page loads nothing from other hosts. */
async function buildDashboardPage(): Promise<void> {
  await build({
    entryPoints: [
      { in: "src/dashboard/client/main.tsx", out: "app" },
      { in: "src/dashboard/client/app.css", out: "app" },
    ],
    outdir: "dist/dashboard-page",
    bundle: true,
    format: "iife",
    target: "es2022",
    jsx: "automatic",
    jsxImportSource: "preact",
    minify: true,
    // Their licenses are in THIRD_PARTY_NOTICES.
    legalComments: "none",
  })
}
