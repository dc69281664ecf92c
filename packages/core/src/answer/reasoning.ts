/**
 * Words in the names of tags around reasoning: `<think>` (DeepSeek, Qwen), `<thinking>`, `<thought>` (Gemini's OpenAI endpoint),
 * `<seed:cot_budget_reflect>` (Seed-OSS, https://huggingface.co/ByteDance-Seed/Seed-OSS-36B-Instruct), `<longcat_think>` and others.
 */
const WORD =
  "(?:ant)?(?:think(?:ing)?|thoughts?|reasoning|reflections?|cot|scratch_?pad|monologue|deliberation|rationale|brainstorm)"
/** Not `reason` with other words, which is data: `<rejection_reason>`. */
const NAME = `(?:(?!end)(?:[\\w:-]{0,30}[_:-])?${WORD}(?:[_-](?!end)[\\w-]{0,30})?|reason)`

/** Special tokens around reasoning (Cohere, OpenThinker, Solar), with patterns of what precedes and follows their word. */
const token = (before: string, after: string) =>
  `<[|｜]${before}(?:im_)?(?:think(?:ing)?|thoughts?|reasoning)${after}[|｜]>`

/**
 * Marks at which reasoning begins: tags, Magistral (`[THINK]`), Kimi (`◁think▷`), special tokens, Apertus, MedGemma,
 * every channel of harmony except the final one and that of calls
 * (https://cookbook.openai.com/articles/openai-harmony), Gemma 4.
 */
const OPENERS = [
  `<${NAME}(?:\\s[^<>]{0,200})?>`,
  "\\[(?:think(?:ing)?|thoughts?|reasoning)\\]",
  "◁think▷",
  "<think(?:ing)?_start>",
  token("(?:start_|begin_of_|begin_)?", "(?:[_▁](?:start|begin))?"),
  "<\\|inner_prefix\\|>",
  "<unused94>",
  "<\\|channel\\|>\\s{0,9}(?!final|commentary[^<]{0,200}\\bto=)[^<]{0,200}<\\|message\\|>",
  "<\\|channel>\\s{0,9}thought",
].join("|")

/** Marks before which everything is reasoning. The opening mark may be missing, because some chat templates contain it. */
const CLOSERS = [
  `</${NAME}\\s{0,9}>`,
  "\\[/(?:think(?:ing)?|thoughts?|reasoning)\\]",
  "◁/think▷",
  "<think(?:ing)?_end>",
  token("(?:/|end_of_|end_)", ""),
  token("", "[_▁]end"),
  "<\\|inner_suffix\\|>",
  "<unused95>",
  "<\\|channel\\|>\\s{0,9}(?:final|commentary[^<]{0,200}\\bto=)[^<]{0,200}(?:<\\|constrain\\|>[^<]{0,200})?<\\|message\\|>",
  "<channel\\|>",
  "<\\|content\\|>",
].join("|")

/** Tags around notes of the model, unless they contain only JSON, which may be the answer. */
const NOTES = "(?:\\w{1,9}[_-])?(?:analysis|plan(?:ning)?|draft|critique|review|verification|internal)"
const NOTES_BEGIN = `<(?:${NOTES}|details type="reasoning"[^<>]{0,99})>(?!\\s{0,9}(?:\`\`\`\\w{0,9}\\s{0,9})?[{[])`
const NOTES_END = `</(?:${NOTES}|details)>`

/** Marks of a user's message, which a model writes itself if the server does not stop it after the answer. */
const USER = [
  "<\\|(?:im_start|start_header_id|start|turn)\\|?>user",
  "<start_of_turn>user",
  "<[|｜](?:user|im_user|user_token)[|｜]>",
  "\\[INST\\]",
].join("|")

/** Marks that end a message of any channel. Outside of reasoning they have no meaning. */
const ENDS = "<\\|(?:end|return|call)\\|>(?:<\\|start\\|>(?!user)\\w{0,20})?|<\\|start\\|>(?!user)\\w{0,20}"

/** Harmony without its special tokens, as some servers return it: `analysis…assistantfinal…`. */
const BARE_HARMONY = /^\s{0,99}(?:(?:assistant)?(?:analysis|commentary)|assistantfinal)/
const BARE_FINAL = "assistantfinal"
/** A word of prose has no capital letter inside. */
const BARE_ANALYSIS = /^\s{0,99}(?:assistant)?analysis[A-Z]/

const KINDS = ["reasoning", "answer", "notes", "notesEnd", "user", "end"] as const

const marksWith = (closers: string) =>
  new RegExp(
    `(?<reasoning>${OPENERS})|(?<answer>${closers})|(?<notes>${NOTES_BEGIN})|(?<notesEnd>${NOTES_END})|(?<user>${USER})|(?<end>${ENDS})|[{[]`,
    "gi",
  )
const MARKS = /* @__PURE__ */ marksWith(CLOSERS)
const MARKS_OF_BARE_HARMONY = /* @__PURE__ */ marksWith(
  `${CLOSERS}|${BARE_FINAL}|assistantcommentary[^<\\n]{0,99}\\bto=[\\w.]{0,99}`,
)
const STARTS_WITH_MARK = /* @__PURE__ */ new RegExp(`^\\s*(?:${OPENERS}|${CLOSERS}|${ENDS})`, "i")
/** A closing mark alone on its line. A mark within prose may be a mention of the mark. */
const CLOSER_LINE = /* @__PURE__ */ new RegExp(`^[ \\t]{0,9}(?:${CLOSERS})[ \\t\\r]*$`, "gim")

/** A mark of reasoning, of notes or of a message, or the first character of an object or array (`json`). */
export interface AnswerMark {
  kind: (typeof KINDS)[number] | "json"
  start: number
  end: number
}

/** The first mark at or after a position of a model's output; undefined without a mark. */
export function nextMark(text: string, from: number): AnswerMark | undefined {
  const pattern = BARE_HARMONY.test(text) ? MARKS_OF_BARE_HARMONY : MARKS
  pattern.lastIndex = from
  const found = pattern.exec(text)
  if (found === null) return undefined
  const kind = KINDS.find((name) => found.groups?.[name] !== undefined) ?? "json"
  return { kind, start: found.index, end: found.index + found[0].length }
}

/**
 * Whether the text begins with harmony reasoning without its special tokens, and not with a word such as `analysis`.
 */
export function startsInBareHarmony(text: string): boolean {
  return BARE_ANALYSIS.test(text) || (BARE_HARMONY.test(text) && text.includes(BARE_FINAL))
}

/** Whether the text begins with reasoning. Looks at its first 300 characters. */
export function startsWithReasoning(text: string): boolean {
  const start = text.slice(0, 300)
  return STARTS_WITH_MARK.test(start) || BARE_HARMONY.test(start)
}

/**
 * The text of an answer without the reasoning that some models and servers return inside it. Reasoning without an end reaches to
 * the end of the text. A mark in code of the answer belongs to the answer. In a text that does not begin with reasoning, so does
 * every other mark, unless it is a closing mark alone on its line.
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
  let backticks = 0
  let isReasoning = startsInBareHarmony(text)
  let at = 0
  for (let mark = nextMark(text, 0); mark !== undefined; mark = nextMark(text, mark.end)) {
    const belongsToText = mark.kind === "json" || mark.kind === "notes" || mark.kind === "notesEnd"
    if (belongsToText || (mark.kind === "user" && isReasoning)) continue
    if (!isReasoning) {
      const piece = text.slice(at, mark.start)
      answer += piece
      backticks += piece.split("`").length - 1
      at = mark.start
      if (backticks % 2 === 1) continue
    }
    if (mark.kind === "user" && answer.trim() !== "") return answer.trim()
    if (mark.kind === "answer") {
      answer = ""
      backticks = 0
    }
    isReasoning = mark.kind === "reasoning"
    at = mark.end
  }
  return (isReasoning ? answer : answer + text.slice(at)).trim()
}
