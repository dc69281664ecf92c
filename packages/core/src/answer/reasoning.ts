/**
 * Names of the tags around reasoning: `<think>` (DeepSeek, Qwen), `<thinking>`, `<thought>` (Gemini's OpenAI endpoint),
 * `<seed:think>` (Seed-OSS, https://huggingface.co/ByteDance-Seed/Seed-OSS-36B-Instruct), `<reasoning>` and others.
 */
const TAG = "(?:\\w{1,20}:)?(?:ant)?(?:think(?:ing)?|thoughts?|reasoning|inner_?monologue|chain_of_thought)"

/**
 * Marks at which reasoning begins: tags, Magistral (`[THINK]`), Kimi (`◁think▷`), Cohere, OpenThinker, harmony's analysis
 * channel and commentary that calls no function (https://cookbook.openai.com/articles/openai-harmony), Gemma 4.
 */
const OPENERS = [
  `<${TAG}(?:\\s[^<>]{0,200})?>`,
  "\\[think(?:ing)?\\]",
  "◁think▷",
  "<\\|start_thinking\\|>",
  "<\\|begin_of_thought\\|>",
  "<\\|channel\\|>\\s{0,9}(?:analysis|commentary(?![^<]{0,200}\\bto=))[^<]{0,200}<\\|message\\|>",
  "<\\|channel>\\s{0,9}thought",
].join("|")

/** Marks before which everything is reasoning. The opening mark may be missing, because some chat templates contain it. */
const CLOSERS = [
  `</${TAG}\\s{0,9}>`,
  "\\[/think(?:ing)?\\]",
  "◁/think▷",
  "<\\|end_thinking\\|>",
  "<\\|end_of_thought\\|>",
  "<\\|channel\\|>\\s{0,9}(?:final|commentary[^<]{0,200}\\bto=)[^<]{0,200}(?:<\\|constrain\\|>[^<]{0,200})?<\\|message\\|>",
  "<channel\\|>",
].join("|")

/** Marks that end a message of any channel. Outside of reasoning they have no meaning. */
const ENDS = "<\\|(?:end|return|call)\\|>(?:<\\|start\\|>\\w{0,20})?|<\\|start\\|>\\w{0,20}"

/** Harmony without its special tokens, as some servers return it: `analysis…assistantfinal…`. */
const BARE_HARMONY = /^\s{0,99}(?:analysis|commentary|assistantfinal)/
const BARE_FINAL = "assistantfinal"

const marksWith = (closers: string) =>
  new RegExp(`(?<reasoning>${OPENERS})|(?<answer>${closers})|(?<end>${ENDS})|[{[]`, "gi")
const MARKS = /* @__PURE__ */ marksWith(CLOSERS)
const MARKS_OF_BARE_HARMONY = /* @__PURE__ */ marksWith(`${CLOSERS}|${BARE_FINAL}`)
const STARTS_WITH_MARK = /* @__PURE__ */ new RegExp(`^\\s*(?:${OPENERS}|${CLOSERS}|${ENDS})`, "i")
/** A closing mark alone on its line. A mark within prose may be a mention of the mark. */
const CLOSER_LINE = /* @__PURE__ */ new RegExp(`^[ \\t]{0,9}(?:${CLOSERS})[ \\t\\r]*$`, "gim")

/** A mark of reasoning, or the first character of an object or array (`json`). */
export interface AnswerMark {
  kind: "reasoning" | "answer" | "end" | "json"
  start: number
  end: number
}

/** The first mark at or after a position of a model's output; undefined without a mark. */
export function nextMark(text: string, from: number): AnswerMark | undefined {
  const pattern = BARE_HARMONY.test(text) ? MARKS_OF_BARE_HARMONY : MARKS
  pattern.lastIndex = from
  const found = pattern.exec(text)
  if (found === null) return undefined
  const { reasoning, answer, end } = found.groups as Record<string, string | undefined>
  const kind =
    reasoning !== undefined ? "reasoning" : answer !== undefined ? "answer" : end !== undefined ? "end" : "json"
  return { kind, start: found.index, end: found.index + found[0].length }
}

/** Whether the text begins with reasoning. Looks at its first 300 characters. */
export function startsWithReasoning(text: string): boolean {
  const start = text.slice(0, 300)
  return STARTS_WITH_MARK.test(start) || BARE_HARMONY.test(start)
}

/**
 * The text of an answer without the reasoning that some models and servers return inside it. Reasoning without an end reaches to
 * the end of the text. In a text that does not begin with reasoning, a mark belongs to the answer, unless it is a closing
 * mark alone on its line.
 *
 * @example
 * cutReasoning("<think>France, so Paris.</think>\n\nParis") // "Paris"
 */
export function cutReasoning(text: string): string {
  if (!startsWithReasoning(text)) {
    const closer = [...text.matchAll(CLOSER_LINE)].at(-1)
    return closer === undefined ? text : text.slice(closer.index + closer[0].length).trim()
  }
  let answer = ""
  let isReasoning = BARE_HARMONY.test(text) && text.includes(BARE_FINAL)
  let at = 0
  for (let mark = nextMark(text, 0); mark !== undefined; mark = nextMark(text, mark.end)) {
    if (mark.kind === "json") continue
    if (!isReasoning) answer += text.slice(at, mark.start)
    if (mark.kind === "answer") answer = ""
    isReasoning = mark.kind === "reasoning"
    at = mark.end
  }
  return (isReasoning ? answer : answer + text.slice(at)).trim()
}
