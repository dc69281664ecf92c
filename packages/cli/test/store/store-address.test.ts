import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs"
import { homedir, tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { dataFolder } from "../../src/store/data-folder"
import { openStore } from "../../src/store/open-store"
import { readStoreAddress, shownAddress } from "../../src/store/store-address"

const folder = mkdtempSync(join(tmpdir(), "p2-address-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe("the address of the store", () => {
  it("is the option, else P2_STORE, else a file in the data folder", () => {
    const env = { P2_STORE: "postgres://p2:Pa55w0rd@db.test/p2", P2_HOME: "/data" }
    expect(readStoreAddress("redis://cache.test:6379", env)).toBe("redis://cache.test:6379")
    expect(readStoreAddress(undefined, env)).toBe(env.P2_STORE)
    expect(readStoreAddress(undefined, { P2_HOME: "/data", P2_STORE: "" })).toBe("file:/data/p2.db")
  })

  it.each([
    "memory:",
    "file:p2.db",
    "file:///var/p2.db",
    "redis://h",
    "rediss://h:1/2",
    "postgres://h/d",
    "postgresql://u@h/d",
  ])("may be %s", (address) => {
    expect(readStoreAddress(address, {})).toBe(address)
    expect(readStoreAddress(undefined, { P2_STORE: address })).toBe(address)
  })

  it.each(["p2.db", "mysql://h/d", "memory", "memory:x", "file:", "redis:", "redis://", "http://h", ""])(
    "may not be %j, and the message lists the kinds",
    (address) => {
      expect(() => readStoreAddress(address, {})).toThrow("expected memory:, file:PATH, redis://HOST:PORT")
    },
  )

  it.each([
    "redis://:Pa55w0rd@h",
    "postgres://p2:Pa55w0rd@h/d",
    "postgres://h/d?password=Pa55w0rd",
    "postgres://h/d?sslpassword=Pa55w0rd",
  ])("as an option has no password, and the message does not show it", (address) => {
    expect(() => readStoreAddress(address, {})).toThrow("Set P2_STORE to the address.")
    expect(() => readStoreAddress(address, {})).not.toThrow("Pa55w0rd")
    expect(shownAddress(address)).not.toContain("Pa55w0rd")
  })

  it.each(["redis://app:55/Pa55w0rd@h:1", "postgres://app:55?Pa55w0rd@h/d", "rediss://app:55#Pa55w0rd@h"])(
    "%s has a password that ends early, so it is rejected and not shown",
    (address) => {
      for (const read of [
        () => readStoreAddress(address, {}),
        () => readStoreAddress(undefined, { P2_STORE: address }),
      ]) {
        expect(read).toThrow("in a password as %2F")
        expect(read).not.toThrow("Pa55w0rd")
      }
    },
  )

  it("that is invalid is not shown: it may have a password", () => {
    expect(() => readStoreAddress(undefined, { P2_STORE: "postgres:/p2:Pa55w0rd@h/d" })).toThrow("Invalid `P2_STORE`")
    expect(() => readStoreAddress(undefined, { P2_STORE: "postgres:/p2:Pa55w0rd@h/d" })).not.toThrow("Pa55w0rd")
  })
})

describe("the data folder", () => {
  it("is P2_HOME, else p2 in XDG_DATA_HOME, else that of the platform", () => {
    expect(dataFolder({ P2_HOME: "/own", XDG_DATA_HOME: "/xdg" })).toBe("/own")
    expect(dataFolder({ XDG_DATA_HOME: "/xdg" })).toBe(join("/xdg", "p2"))
    expect(dataFolder({}).startsWith(homedir())).toBe(true)
  })
})

describe("openStore", () => {
  it("creates the folder of a file, and closes", async () => {
    const address = `file:${join(folder, "a", "b", "p2.db")}`
    const open = await openStore(address, { limits: [{ scope: "total", limit: 1 }] })
    expect((await open.budget.status())[0]).toMatchObject({ spent: 0 })
    expect(open.address).toBe(address)
    await open.close()
  })

  it("creates a file that only its owner can read, also in a folder that was there", async () => {
    const file = join(folder, "private.db")
    const open = await openStore(`file:${file}`, { limits: [{ scope: "total", limit: 1 }] })
    const result = await open.budget.reserve({ amount: "0.10" })
    if (!result.ok) throw result.error
    const modes = [file, `${file}-wal`].map((each) => (statSync(each).mode & 0o777).toString(8))
    expect(modes).toEqual(["600", "600"])
    await result.reservation.settle("0.10")
    await open.close()
  })

  it("says where it could not create the folder", async () => {
    writeFileSync(join(folder, "file"), "")
    const opening = openStore(`file:${join(folder, "file", "p2.db")}`)
    await expect(opening).rejects.toMatchObject({ kind: "failed", message: expect.stringContaining("P2_HOME") })
  })

  it.skipIf(process.platform !== "linux")("says that a file system allows no folders", async () => {
    await expect(openStore("file:/proc/p2-none/folder/p2.db")).rejects.toMatchObject({
      ...{ kind: "failed", message: expect.stringContaining("could not be created (ENOENT)") },
    })
  })
})
