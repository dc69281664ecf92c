// Ceilings of what users load, gzipped. "Own code" excludes what the line names.
const neighbors = [
  "@p2/core",
  "@p2/tokens",
  "@p2/pricing",
  "@p2/budget",
  "@p2/budget-sqlite",
  "@p2/guard",
  "@p2/budget-postgres",
  "pg",
  "openai",
  "zod",
  "ioredis",
]

/** Excludes generated tables: ranks, character classes and model limits are data. */
const withoutTables = (config) => ({
  ...config,
  external: [...(config.external ?? []), "*/generated/ranks-o200k"],
})

/** Excludes the wire formats of providers. */
const withoutFormats = (config) => ({ ...config, external: [...(config.external ?? []), "*/protocols/describe-call"] })

/**
 * The ceilings are the current sizes, so that no growth goes unnoticed. Of core's own code about 2.5 KB is advice in
 * errors (what an unknown option probably meant) and one resolver of model ids, which tokens and pricing share. The
 * goal for guard is 16 KB, which it does not reach: of 59 KB, messages are 4 and names of fields 3, each wire format is 3 to 6, and
 * what every call passes is 24. Loading the formats on demand would leave an estimated 32 for the first call.
 */
const CORE = "packages/core/dist/index.js"

export default [
  {
    name: "@p2/core, { Request, MessageBuilder }",
    path: CORE,
    import: "{ Request, MessageBuilder }",
    ignore: neighbors,
    gzip: true,
    limit: "12.1 KB",
  },
  {
    name: "@p2/core, { compileAnswer }",
    path: CORE,
    import: "{ compileAnswer }",
    ignore: neighbors,
    gzip: true,
    limit: "13 KB",
  },
  { name: "@p2/core, own code", path: CORE, ignore: neighbors, gzip: true, limit: "24.8 KB" },
  {
    name: "@p2/tokens/o200k_base, own code without tables",
    path: "packages/tokens/src/o200k_base.ts",
    ignore: neighbors,
    modifyEsbuildConfig: withoutTables,
    gzip: true,
    limit: "9.6 KB",
  },
  {
    name: "@p2/pricing, with its whole table",
    path: "packages/pricing/dist/index.js",
    ignore: neighbors,
    gzip: true,
    limit: "48.6 KB",
  },
  {
    name: "@p2/guard, own code without wire formats",
    path: "packages/guard/src/index.ts",
    ignore: neighbors,
    modifyEsbuildConfig: withoutFormats,
    gzip: true,
    limit: "27.1 KB",
  },
  {
    // About 9 KB for each wire format: what each field of a call can cost.
    name: "@p2/guard, own code",
    path: "packages/guard/dist/index.js",
    ignore: neighbors,
    gzip: true,
    limit: "59.2 KB",
  },
  {
    name: "@p2/cli, own code without the page of the dashboard",
    path: "packages/cli/dist/main.js",
    ignore: [...neighbors, "commander", "jsonc-parser"],
    modifyEsbuildConfig: (config) => ({ ...config, platform: "node", format: "esm" }),
    gzip: true,
    limit: "50 KB",
  },
  {
    name: "@p2/client, own code",
    path: "packages/client/dist/index.js",
    ignore: neighbors,
    gzip: true,
    limit: "34.8 KB",
  },
]
