// Ceilings of what users load, gzipped. "Own code" leaves out what the line names.
const neighbours = [
  "@p2/core",
  "@p2/tokens",
  "@p2/pricing",
  "@p2/budget",
  "@p2/budget-sqlite",
  "openai",
  "zod",
  "ioredis",
]

/** Leaves out generated tables: ranks, character classes and model limits are data. */
const withoutTables = (config) => ({
  ...config,
  external: [...(config.external ?? []), "*/generated/ranks-o200k"],
})

export default [
  {
    name: "@p2/core, own code",
    path: "packages/core/dist/index.js",
    ignore: neighbours,
    gzip: true,
    limit: "8 KB",
  },
  {
    name: "@p2/tokens/o200k_base, own code without tables",
    path: "packages/tokens/src/o200k_base.ts",
    ignore: neighbours,
    modifyEsbuildConfig: withoutTables,
    gzip: true,
    limit: "10 KB",
  },
  {
    name: "@p2/pricing, with its whole table",
    path: "packages/pricing/dist/index.js",
    ignore: neighbours,
    gzip: true,
    limit: "45 KB",
  },
  {
    name: "@p2/client, own code",
    path: "packages/client/dist/index.js",
    ignore: neighbours,
    gzip: true,
    limit: "14 KB",
  },
]
