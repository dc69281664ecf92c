import { InvalidAnswerError } from "@p2/core"
import { expect, test } from "vitest"
import { repairNotes } from "../src/internal/repair-notes"

const error = new InvalidAnswerError({
  reason: "shape",
  issues: [{ path: ["people", 0, "age"], code: "invalid_type", message: "Expected a number." }],
})

test("say the answer, the path and the message, and nothing else", () => {
  expect(repairNotes('{"people":[{"age":"x"}]}', error)).toEqual([
    { role: "assistant", content: '{"people":[{"age":"x"}]}' },
    {
      role: "user",
      content:
        "It does not fit:\n- people[0].age: Expected a number.\nAnswer again with the whole corrected answer, and nothing else.",
    },
  ])
})

test("cut a long answer, and never through a character", () => {
  const contentOf = (answer: string) => repairNotes(answer, error)[0]!.content
  expect(contentOf("a".repeat(5_000))).toBe(`${"a".repeat(4_000)}…`)
  expect(contentOf(`${"a".repeat(3_999)}😀b`)).toBe(`${"a".repeat(3_999)}…`)
  expect(contentOf(`${"a".repeat(3_998)}😀b`)).toBe(`${"a".repeat(3_998)}😀…`)
})
