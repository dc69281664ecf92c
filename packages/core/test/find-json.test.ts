import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { cutReasoning, findJson } from "../src/index"

const ADA = '{"name":"Ada","age":36}'
const CHARLES = '{"name":"Charles","age":99}'

describe("findJson", () => {
  it.each([
    [ADA, [ADA]],
    ["  [1, 2]\n", ["[1, 2]"]],
    [`\`\`\`json\n${ADA}\n\`\`\``, [ADA]],
    ['Example:\n```json\n{"a":0}\n```\nAnswer:\n```\n{"a":1}\n```\nDone.', ['{"a":1}', '{"a":0}']],
    ['Sure! Here is it: {"a":{"b":"}"}} Hope it helps.', ['{"a":{"b":"}"}}']],
    ['I use {braces} and [x]. {"a":[1,2]}', ['{"a":[1,2]}']],
    ['It\'s {"a":"say \\"hi\\" }"}.', ['{"a":"say \\"hi\\" }"}']],
    [`Draft ${CHARLES} Correction: ${ADA}`, [ADA, CHARLES]],
    [`\`\`\`json\n${ADA}`, [ADA]],
    [`${ADA} [1]`, ["[1]", ADA]],
    ["nothing here", []],
    ["", []],
    ["{ not json }", []],
  ])("finds in %j, the last value first", (text, found) => {
    expect(findJson(text)).toEqual(found)
  })

  it("finds any object in prose without brackets", () => {
    const prose = fc.string().map((text) => text.replace(/[{}[\]"`~<|◁]/g, ""))
    fc.assert(
      fc.property(prose, fc.dictionary(fc.string(), fc.jsonValue()), prose, (before, value, after) => {
        const found = findJson(`So ${before}: ${JSON.stringify(value)} ${after}`)
        expect(found.map((json) => JSON.parse(json))).toEqual([JSON.parse(JSON.stringify(value))])
      }),
    )
  })

  it("reads a megabyte of brackets or of marks", () => {
    const parts = ["{", "[", '{"', "[}", '"{', "{x}", '{"\\', "<think>{", "</think>", "<|channel|>commentary to="]
    for (const part of parts) expect(findJson(part.repeat(1_000_000 / part.length))).toEqual([])
  })

  it("keeps marks inside of JSON strings", () => {
    const html = '{"html":"<think>x</think>","end":"</think>"}'
    expect(findJson(`\`\`\`json\n${html}\n\`\`\``)).toEqual([html])
    expect(findJson(`<think>hm</think>\n${html}\nDone.`)).toEqual([html])
  })
})

/** Answers with reasoning inside. `%` is the answer. */
const REASONING: [string, string][] = [
  ["DeepSeek, Qwen", `<think>${CHARLES}? No.</think>%`],
  ["with a line break after each mark", `<think>\n${CHARLES}? No.\n</think>\n\n%`],
  ["with an empty block", "<think>\n\n</think>\n\n%"],
  ["two blocks", `<think>a</think>\n<think>${CHARLES}</think>%`],
  ["a block inside a block", `<think>a<think>b</think>${CHARLES}</think>%`],
  ["the closing tag is quoted in the reasoning", `<think>I close with </think> later. ${CHARLES}</think>%`],
  ["the opening tag is quoted in the reasoning", `<think>The <think> tag. ${CHARLES}</think>%`],
  ["no opening tag, as in Qwen3-Thinking-2507", `${CHARLES}? No.\n</think>\n\n%`],
  ["a fence inside", `<think>\n\`\`\`json\n${CHARLES}\n\`\`\`\n</think>\n%`],
  ["an unclosed fence inside", `<think>\n\`\`\`json\n${CHARLES}\n</think>\n%`],
  ["broken JSON inside", `<think>{"name":"Charles","age":</think>%`],
  ["<thinking>", `<thinking>${CHARLES}</thinking>%`],
  ["<THINK>", `<THINK>${CHARLES}</THINK>%`],
  ["other closing tag than opening tag", `<think>${CHARLES}</thinking>%`],
  ["an attribute", `<think effort="high">${CHARLES}</think>%`],
  ["<reasoning>", `<reasoning>${CHARLES}</reasoning>%`],
  ["<thought>, as at Gemini's OpenAI endpoint", `<thought>${CHARLES}</thought>%`],
  ["<thoughts>", `<thoughts>${CHARLES}</thoughts>%`],
  ["<seed:think>", `<seed:think>${CHARLES}</seed:think>%`],
  ["<antThinking>", `<antThinking>${CHARLES}</antThinking>%`],
  ["<inner_monologue>", `<inner_monologue>${CHARLES}</inner_monologue>%`],
  ["Magistral", `[THINK]${CHARLES}[/THINK]%`],
  ["Kimi", `◁think▷${CHARLES}◁/think▷%`],
  ["Cohere", `<|START_THINKING|>${CHARLES}<|END_THINKING|>%`],
  ["OpenThinker", `<|begin_of_thought|>${CHARLES}<|end_of_thought|>%`],
  ["Gemma 4", `<|channel>thought\n${CHARLES}<channel|>%`],
  [
    "harmony",
    `<|channel|>analysis<|message|>${CHARLES}<|end|><|start|>assistant<|channel|>final<|message|>%<|return|>`,
  ],
  [
    "harmony with a constraint",
    `<|channel|>analysis<|message|>${CHARLES}<|end|><|start|>assistant<|channel|>final <|constrain|>json<|message|>%`,
  ],
  [
    "harmony with a call",
    `<|channel|>analysis<|message|>${CHARLES}<|end|><|start|>assistant<|channel|>commentary to=functions.answer <|constrain|>json<|message|>%<|call|>`,
  ],
  [
    "harmony with commentary before",
    `<|channel|>commentary<|message|>${CHARLES}<|end|><|start|>assistant<|channel|>final<|message|>%`,
  ],
  ["other tags", "<scratchpad>%c</scratchpad>%"],
  ["a name of several words", "<longcat_think>%c</longcat_think>%"],
  ["<thought-process>", "<thought-process>%c</thought-process>%"],
  ["<chain-of-thought>", "<chain-of-thought>%c</chain-of-thought>%"],
  ["<internal_reasoning>", "<internal_reasoning>%c</internal_reasoning>%"],
  ["<reasoning_content>", "<reasoning_content>%c</reasoning_content>%"],
  ["<reflection> in <thinking>", "<thinking>%c<reflection>%c</reflection></thinking>%"],
  [
    "Seed's reflection on its budget",
    "<seed:think>a<seed:cot_budget_reflect>%c</seed:cot_budget_reflect>%c</seed:think>%",
  ],
  ["<rationale>", "<rationale>%c</rationale>%"],
  ["<cot>", "<cot>%c</cot>%"],
  ["[reasoning]", "[REASONING]%c[/REASONING]%"],
  ["tokens with a start and an end", "<|think_start|>%c<|think_end|>%"],
  ["<think_start>", "<think_start>%c<think_end>%"],
  ["tokens with a slash", "<|thinking|>%c<|/thinking|>%"],
  ["Solar", "<|think|>%c<|content|>%"],
  ["Apertus", "<|inner_prefix|>%c<|inner_suffix|>%"],
  ["MedGemma", "<unused94>thought\n%c<unused95>%"],
  [
    "an unknown channel of harmony",
    "<|channel|>thought<|message|>%c<|end|><|start|>assistant<|channel|>final<|message|>%",
  ],
  ["harmony without its special tokens, with the role", "assistantanalysisSay %c? No.assistantfinal%"],
  ["harmony's final channel only", "<|channel|>final<|message|>%<|return|>"],
  [
    "harmony that begins with the role",
    `<|start|>assistant<|channel|>analysis<|message|>${CHARLES}<|channel|>final<|message|>%`,
  ],
  ["harmony without its special tokens", `analysisSay ${CHARLES}? No.assistantfinal%`],
  [
    "reasoning and then harmony without its special tokens",
    `analysis${CHARLES}assistantcommentary${CHARLES}assistantfinal%`,
  ],
]

describe("reasoning inside the answer is cut off", () => {
  it.each(REASONING)("%s", (_name, text) => {
    const answered = text.replaceAll("%c", CHARLES)
    expect(findJson(answered.replace("%", ADA))).toEqual([ADA])
    expect(cutReasoning(answered.replace("%", "Ada is 36."))).toBe("Ada is 36.")
  })

  it.each([
    "<think>",
    "<self_reflection>",
    "<think_fast>",
    "[THINK]",
    "<|thought|>",
    "<|inner_prefix|>",
    "<|channel>thought\n",
  ])("%s after the answer", (mark) => {
    expect(findJson(`${ADA}\n${mark}Or ${CHARLES}? No.`)).toEqual([ADA])
  })

  it.each([
    ["unclosed", `<think>${CHARLES}`],
    ["unclosed, with a fence", `<thinking>\n\`\`\`json\n${CHARLES}\n\`\`\``],
    ["harmony's analysis only", `<|channel|>analysis<|message|>${CHARLES}<|end|>`],
    ["nothing after it", `<think>${CHARLES}</think>`],
    ["harmony's bare analysis only", `analysisWe need ${CHARLES}? No.`],
    ["a scratchpad only", `<scratchpad>${CHARLES}? No.</scratchpad>`],
    ["a scratchpad without an end", `<scratchpad>${CHARLES}? No.`],
  ])("%s: there is no answer", (_name, text) => {
    expect(findJson(text)).toEqual([])
    expect(cutReasoning(text)).toBe("")
  })

  it("after a preamble, if it contains JSON", () => {
    expect(findJson(`Let me think. <think>${CHARLES}</think> ${ADA}`)).toEqual([ADA])
    expect(findJson(`${ADA}\n<think>${CHARLES}`)).toEqual([ADA])
  })
})

describe("notes of the model", () => {
  it.each([
    "analysis",
    "plan",
    "planning",
    "draft",
    "critique",
    "review",
    "verification",
    "pre_analysis",
    "self-critique",
  ])("<%s> has no answer, unless it has JSON only", (tag) => {
    expect(findJson(`<${tag}>Maybe ${CHARLES}? No.</${tag}>I cannot tell.`)).toEqual([])
    expect(findJson(`<${tag}>Maybe ${CHARLES}? No.</${tag}>${ADA}`)).toEqual([ADA])
    expect(findJson(`${ADA}<${tag}>Maybe ${CHARLES}? No.`)).toEqual([ADA])
    expect(findJson(`<think>a <${tag}>b</${tag}> ${CHARLES}`)).toEqual([])
    for (const json of [ADA, `\n${ADA}\n`, `\n\`\`\`json\n${ADA}\n\`\`\`\n`])
      expect(findJson(`<${tag}>${json}</${tag}>`)).toEqual([ADA])
    const text = `<think>hm</think>The <${tag}>first</${tag}> one.`
    expect(cutReasoning(text)).toBe(`The <${tag}>first</${tag}> one.`)
  })

  it("in a <details> of reasoning", () => {
    const text = `<details type="reasoning" done="true">\n<summary>Thought</summary>\n${CHARLES}? No.\n</details>\n`
    expect(findJson(`${text}${ADA}`)).toEqual([ADA])
    expect(findJson(text)).toEqual([])
  })
})

/** Marks of a user's message in chat templates. */
const USER_TURNS = [
  "<|im_end|>\n<|im_start|>user\n",
  "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n",
  "<end_of_turn>\n<start_of_turn>user\n",
  "</s>[INST] ",
  "<|user|>\n",
  "<｜User｜>",
  "<|return|><|start|>user<|message|>",
  "<turn|>\n<|turn>user\n",
  "<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|USER_TOKEN|>",
]

describe("a user's message that the model wrote after its answer", () => {
  it.each(USER_TURNS)("%j", (mark) => {
    expect(findJson(`${ADA}${mark}And Charles?<|im_start|>assistant\n${CHARLES}`)).toEqual([ADA])
    expect(findJson(`<think>${CHARLES}${mark}</think>${ADA}`)).toEqual([ADA])
    expect(findJson(`${mark}${ADA}`)).toEqual([ADA])
    expect(cutReasoning(`<think>hm</think>Ada is 36.${mark}And Charles?`)).not.toContain("And Charles?")
    expect(cutReasoning(`Write ${mark}.`)).toBe(`Write ${mark}.`)
  })
})

describe("marks in the code of an answer after reasoning", () => {
  it.each([
    "Llama 2 wraps a prompt in `[INST]` and `[/INST]`. Then it answers.",
    "Write `<|im_start|>user` before it.",
    "Put it between `<think>` and `</think>`, then the answer.",
    "```html\n<think>a</think>\n[INST]\n```\nThat is all.",
  ])("%j is kept", (answer) => {
    expect(cutReasoning(answer)).toBe(answer)
    expect(cutReasoning(`<think>hm, \`Ada\`</think>${answer}`)).toBe(answer)
    expect(cutReasoning(`<think>an open \` mark</think>\n\n${answer}`)).toBe(answer)
    expect(cutReasoning(`analysisHm.assistantfinal${answer}`)).toBe(answer)
    expect(cutReasoning(`<think>hm</think>${answer}[INST] And Charles?`)).toBe(answer)
  })
})

describe("tags of data that are named like reasoning", () => {
  it.each(["rejection_reason", "reason_code", "reason-code", "finish-reason", "cancel-reasons"])("<%s>", (tag) => {
    const text = `<${tag}>late</${tag}>`
    expect(cutReasoning(text)).toBe(text)
    expect(findJson(`I left out <${tag}>: ${ADA}`)).toEqual([ADA])
  })
})

describe("cutReasoning keeps a text", () => {
  it.each([
    "Close the block with </think>.",
    "Write <think> before it.\nThen </think> after it.",
    "An analysis of the text.",
    "analysis of variance",
    "[1] is a footnote. [think] is a word.",
    "<analysis>The text</analysis> <plan>Read it</plan>",
    "The <rationale> tag, <|user|> and <|think|> are marks.",
    "",
  ])("%j", (text) => {
    expect(cutReasoning(text)).toBe(text)
  })
})
