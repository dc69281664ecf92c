import { defineStoreSuite } from "@p2/budget/testing"
import { describe, expect, it } from "vitest"
import { jsonFileTarget } from "./json-file-target"

// The slow test runs the whole suite.
defineStoreSuite({ describe, it }, jsonFileTarget, {
  name: "a store in one JSON file",
  only: ({ level }) => level === "contract",
  onReport: ({ ok }) => expect(ok).toBe(true),
})
