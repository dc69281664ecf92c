import type { InvalidAnswerError, Message } from "@p2/core"

/** Most characters of a wrong answer that are sent back. */
const MAX_ANSWER = 4_000
/** Most issues that are named. */
const MAX_ISSUES = 20
/** Most characters of one issue. */
const MAX_ISSUE = 300

/** What is added to the conversation to have a wrong answer repaired: the answer, cut, and paths with messages. Nothing else. */
export function repairNotes(answer: string, error: InvalidAnswerError): Message[] {
  const issues = error.issues
    .slice(0, MAX_ISSUES)
    .map((issue) => `- ${pathText(issue.path)}: ${issue.message}`.slice(0, MAX_ISSUE))
  const wrong =
    error.reason === "json" || issues.length === 0 ? "It is not valid JSON." : `It does not fit:\n${issues.join("\n")}`
  return [
    { role: "assistant", content: cut(answer) },
    { role: "user", content: `${wrong}\nAnswer again with the whole corrected answer, and nothing else.` },
  ]
}

function cut(text: string): string {
  if (text === "") return "(nothing)"
  // Half of a character is refused by some servers.
  return text.length <= MAX_ANSWER ? text : `${text.slice(0, MAX_ANSWER).replace(/[\uD800-\uDBFF]$/, "")}…`
}

function pathText(path: readonly (string | number)[]): string {
  const steps = path.map((step) => (typeof step === "number" ? `[${step}]` : `.${step}`))
  return steps.join("").replace(/^\./, "") || "the answer"
}
