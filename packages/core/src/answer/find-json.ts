import { parseJson } from "../json"
import { JsonScan } from "./partial-json"
import { type AnswerMark, nextMark, startsInBareHarmony } from "./reasoning"

/**
 * Bounds the work, because a string of opening brackets would take quadratic time. All attempts together may read
 * `MAX_READINGS` times the length of the string plus `SPARE_CHARACTERS`. A failed attempt costs `CHARACTERS_PER_FAILURE` more.
 */
const MAX_READINGS = 3
const SPARE_CHARACTERS = 1_000_000
const CHARACTERS_PER_FAILURE = 1_000

/**
 * Finds the JSON in a model's answer: the whole text if it is JSON, otherwise every object and array in it, the last
 * one first. Reasoning (`<think>`, harmony's analysis channel and similar) is omitted, so that a draft inside it does
 * not count as the answer, and so is a user's message that the model wrote itself after its answer.
 *
 * @example
 * findJson('<think>{"age":99}? No.</think>Draft {"age":37}. Correction: {"age":36}') // ['{"age":36}', '{"age":37}']
 */
export function findJson(text: string): string[] {
  const whole = text.trim()
  if (parseJson(whole) !== undefined) return [whole]
  let found: string[] = []
  let hidden: AnswerMark["kind"] | undefined = startsInBareHarmony(whole) ? "reasoning" : undefined
  let characters = MAX_READINGS * text.length + SPARE_CHARACTERS
  for (let mark = nextMark(text, 0); mark !== undefined && characters > 0; ) {
    let next = mark.end
    if (mark.kind !== "json") {
      if (mark.kind === "user" && hidden === undefined && found.length > 0) break
      // Without an opening mark, everything before the closing mark is reasoning.
      if (mark.kind === "answer" && hidden !== "reasoning") found = []
      hidden = hiddenAfter(mark.kind, hidden)
    } else if (hidden === undefined) {
      const scan = new JsonScan(text.slice(mark.start))
      const isComplete = scan.value()
      characters -= scan.at
      if (isComplete) {
        found.push(scan.json)
        next = mark.start + scan.at
      } else characters -= CHARACTERS_PER_FAILURE
    }
    mark = nextMark(text, next)
  }
  return found.reverse()
}

/** What a mark begins: reasoning or notes, which contain no answer. */
function hiddenAfter(kind: AnswerMark["kind"], hidden: AnswerMark["kind"] | undefined): AnswerMark["kind"] | undefined {
  if (kind === "user" || (hidden === "reasoning" && (kind === "notes" || kind === "notesEnd"))) return hidden
  return kind === "reasoning" || kind === "notes" ? kind : undefined
}
