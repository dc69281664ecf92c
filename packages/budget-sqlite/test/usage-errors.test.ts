import { expect, it } from "vitest"
import { sqliteStore } from "../src"

it.each([
  "sqlite:./p2.db",
  "postgres://user:planted@localhost/db",
  "redis://localhost",
  "https://p2.example.com/p2.db",
])("%s is not a path, and is not shown", (location) => {
  const open = () => sqliteStore(location)
  expect(open).toThrow('expected a path such as "./p2.db" or "file:./p2.db", got an address with another scheme')
  expect(open).not.toThrow(location)
})

it("a folder is not a file", async () => {
  const store = sqliteStore(import.meta.dirname)
  await expect(store.read({ partition: "main", counters: ["a"] })).rejects.toThrow("The path must name a file")
  await store.close!()
})
