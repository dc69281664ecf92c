import { type ChildProcess, fork } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, expectTypeOf, it } from "vitest"
import { type ChildEnd, connectStore, type ParentEnd } from "../../src/testing"

describe("the ends of the channel", () => {
  it("take Node's own objects without a cast", () => {
    expectTypeOf<ChildProcess>().toExtend<ParentEnd>()
    expectTypeOf<NodeJS.Process>().toExtend<ChildEnd>()
  })

  it("tell of a child that ended before it served a store", async () => {
    const folder = mkdtempSync(join(tmpdir(), "p2-child-"))
    try {
      writeFileSync(join(folder, "child.mjs"), "process.exit(0)\n")
      await expect(connectStore(fork(join(folder, "child.mjs")))).rejects.toThrow("ended before it was ready")
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
