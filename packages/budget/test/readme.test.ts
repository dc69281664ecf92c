import { execFile } from "node:child_process"
import { mkdirSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { redisForTests } from "@p2/redis-server"
import { build } from "esbuild"
import { expect, it } from "vitest"

const packageFolder = fileURLToPath(new URL("..", import.meta.url))
const redis = await redisForTests()

// The other blocks of the README are run by the repository's own README test, which has no Redis.
it.skipIf(redis === undefined)("the README's block about Redis prints what it says", async () => {
  const readme = readFileSync(join(packageFolder, "README.md"), "utf8")
  const [, code, output] = /^```ts no-run\n([\s\S]*?redisStore[\s\S]*?)^```\n\n```text\n([\s\S]*?)^```\n/m.exec(readme)!
  // Inside the package, where Node finds ioredis.
  const folder = join(packageFolder, `node_modules/.cache/readme-${process.pid}`)
  mkdirSync(folder, { recursive: true })
  try {
    const outfile = join(folder, "block.mjs")
    await build({
      stdin: { contents: code!, loader: "ts", resolveDir: packageFolder },
      ...{ outfile, bundle: true, format: "esm", platform: "node", target: "node20", external: ["ioredis"] },
      alias: {
        "@p2/core": join(packageFolder, "../core/src/index.ts"),
        "@p2/budget": join(packageFolder, "src/index.ts"),
        "@p2/budget/redis": join(packageFolder, "src/redis.ts"),
      },
      logLevel: "silent",
    })
    const { stdout } = await promisify(execFile)(process.execPath, [outfile], {
      env: { ...process.env, REDIS_URL: redis!.url },
    })
    // Warnings about the durability of a server for tests come first.
    expect(stdout.endsWith(output!)).toBe(true)
  } finally {
    rmSync(folder, { recursive: true, force: true })
    await redis!.close()
  }
})
