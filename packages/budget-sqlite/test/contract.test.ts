import { afterAll, beforeAll } from "vitest"
import { childScript } from "../../budget/test/adapters/child-script"
import { defineDatabaseSuite } from "../../budget/test/adapters/define-adapter-suite"
import { suiteTarget } from "./support/suite-target"

let script: Awaited<ReturnType<typeof childScript>>
beforeAll(async () => {
  script = await childScript(new URL("./support/serve.ts", import.meta.url))
})
afterAll(() => script.remove())

defineDatabaseSuite("sqliteStore", (about) => suiteTarget(about, script.path))
