import { type ChildProcess, fork } from "node:child_process"
import { EventEmitter, once } from "node:events"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, expectTypeOf, it } from "vitest"
import { StoreError } from "../../src/store/store-error"
import { type ChildEnd, connectStore, type ParentEnd, serveStore } from "../../src/testing"
import { ModelStore } from "../../src/testing/model"

const folder = mkdtempSync(join(tmpdir(), "p2-child-"))
afterAll(() => rmSync(folder, { recursive: true }))

const READY = `process.send({ kind: "ready", name: "x", capabilities: {}, ledger: false })\n`

/** A child that runs this program. */
function start(name: string, program: string): ChildProcess {
  writeFileSync(join(folder, `${name}.mjs`), program)
  return fork(join(folder, `${name}.mjs`), { stdio: ["ignore", "ignore", "ignore", "ipc"] })
}

/** Both ends of a channel inside this process. */
function channel(): { child: ChildEnd; parent: ParentEnd } {
  const [toChild, toParent] = [new EventEmitter(), new EventEmitter()]
  const copy = (message: unknown) => JSON.parse(JSON.stringify(message))
  return {
    child: {
      send: (message) => toParent.emit("message", copy(message)),
      on: (event: string, listener: (message: unknown) => void) => toChild.on(event, listener),
      disconnect: () => toParent.emit("exit"),
    },
    parent: {
      send: (message) => setImmediate(() => toChild.emit("message", copy(message))),
      on: (event, listener) => toParent.on(event, listener),
      kill: () => toParent.emit("exit"),
    },
  }
}

describe("the ends of the channel", () => {
  it("take Node's own objects without a cast", () => {
    expectTypeOf<ChildProcess>().toExtend<ParentEnd>()
    expectTypeOf<NodeJS.Process>().toExtend<ChildEnd>()
  })

  it("carry requests, replies and the messages of a driver", async () => {
    class Broken extends ModelStore {
      override async extend(): Promise<never> {
        const cause = new Error("connect failed", { cause: new Error("no route to host") })
        throw new StoreError("Not reachable.", { code: "store-unavailable", applied: "no", cause })
      }

      override async adjust(): Promise<never> {
        throw new TypeError("x is undefined")
      }
    }
    const { child, parent } = channel()
    const connecting = connectStore(parent)
    serveStore(new Broken({ clock: () => 1_000 }), child)
    const { store, close } = await connecting
    expect(store).toMatchObject({ name: "model", capabilities: { maxCounters: 32 } })
    await expect(store.read({ partition: "p", counters: ["a"] })).resolves.toMatchObject({ now: 1_000, due: false })
    await expect(store.ledger!.get({ partition: "p", requestId: "q" })).resolves.toEqual([])
    await expect(store.extend({ partition: "p", key: "k", leaseMs: 1 })).rejects.toMatchObject({
      name: "StoreError",
      applied: "no",
      code: "store-unavailable",
      cause: { message: "connect failed", cause: { message: "no route to host" } },
    })
    await expect(store.adjust({} as never)).rejects.toThrow("In the other process: x is undefined")
    await close()
    await expect(store.read({ partition: "p", counters: [] })).rejects.toMatchObject({
      code: "store-unavailable",
      applied: "maybe",
    })
  })
})

describe("a child", () => {
  it("that ends before it served a store is a failure", async () => {
    const child = start("ends", "process.exit(0)\n")
    await expect(connectStore(child)).rejects.toThrow("ended before it was ready")
  })

  it("that is not ready in time is killed", async () => {
    const child = start("silent", "setInterval(() => {}, 1_000)\n")
    const exited = once(child, "exit")
    await expect(connectStore(child, { readyTimeoutMs: 50 })).rejects.toThrow("was not ready within 50 ms")
    expect((await exited)[1]).toBe("SIGKILL")
  })

  it("that does not end when it is closed is killed", async () => {
    const child = start(
      "stays",
      `${READY}process.on("message", () => {})\nprocess.on("disconnect", () => {})\nsetInterval(() => {}, 1_000)\n`,
    )
    const exited = once(child, "exit")
    const { close } = await connectStore(child, { closeTimeoutMs: 50 })
    await close()
    expect((await exited)[1]).toBe("SIGKILL")
  })

  it("that dies in the middle of many calls rejects them all, and ends no other process", async () => {
    const child = start("dies", `${READY}process.on("message", () => process.exit(1))\n`)
    const { store, kill, close } = await connectStore(child)
    const read = () => store.read({ partition: "p".repeat(10_000), counters: [] })
    const first = await Promise.allSettled(Array.from({ length: 200 }, read))
    await new Promise((resolve) => setImmediate(resolve))
    const later = await Promise.allSettled([read(), read()])
    for (const result of [...first, ...later]) {
      expect(result).toMatchObject({ status: "rejected", reason: { code: "store-unavailable", applied: "maybe" } })
    }
    await kill()
    await close()
  })

  it("whose program does not exist is a failure", async () => {
    const child = fork(join(folder, "missing.mjs"), { stdio: ["ignore", "ignore", "ignore", "ipc"] })
    await expect(connectStore(child)).rejects.toThrow("ended before it was ready")
  })
})
