import { afterEach, expect, it, vi } from "vitest"
import { hideSqliteWarning } from "../src/output/hide-sqlite-warning"

const original = process.emitWarning
afterEach(() => {
  process.emitWarning = original
})

it("hides the warning of node:sqlite, and no other", () => {
  const emitted = vi.fn()
  process.emitWarning = emitted
  hideSqliteWarning()
  process.emitWarning("SQLite is an experimental feature and might change at any time", "ExperimentalWarning")
  expect(emitted).not.toHaveBeenCalled()
  process.emitWarning("Something else", "ExperimentalWarning")
  expect(emitted).toHaveBeenCalledWith("Something else", "ExperimentalWarning")
})
