import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { parse } from "yaml"
import { InvalidArgumentError, type Message, MessageBuilder, Request } from "../src/index"

const PNG = new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 1, 2, 3])

function contentOf(builder: MessageBuilder): string {
  return builder.getMessages().at(-1)!.content as string
}

const answer = (content: string): Message[] => [{ role: "assistant", content }]

describe("MessageBuilder", () => {
  it("keeps the order of the calls and the text as it is", () => {
    const builder = new MessageBuilder()
      .addMessageUser("  one \n\n two ")
      .addMessageSystem("three")
      .addMessageAssistant("four")
      .addPrompt("five")
      .addPrompt([{ role: "user", content: "six" }])
    expect(builder.getMessages()).toEqual([
      { role: "user", content: "  one \n\n two " },
      { role: "system", content: "three" },
      { role: "assistant", content: "four" },
      { role: "user", content: "five" },
      { role: "user", content: "six" },
    ])
    expect(new Request({ model: "gpt-4o-mini", messages: builder.getMessages() }).messages).toHaveLength(5)
  })

  it("writes objects and arrays as YAML", () => {
    const builder = new MessageBuilder().addMessageUser({ name: "David", tags: ["a", "b"] })
    expect(contentOf(builder)).toBe("name: David\ntags:\n  - a\n  - b")
  })

  it("writes data as a block, and a list as numbered blocks", () => {
    const builder = new MessageBuilder().addMessageBlock("PERSON", { name: "David" })
    expect(contentOf(builder)).toBe("[PERSON]\nname: David\n[/PERSON]")
    builder.addMessageBlock("PERSON", [{ name: "David" }, "Dora"])
    expect(contentOf(builder)).toBe("[PERSON_1]\nname: David\n[/PERSON_1]\n\n[PERSON_2]\nDora\n[/PERSON_2]")
    builder.addMessageBlock("PERSON", [])
    expect(contentOf(builder)).toBe("[PERSON]\n[]\n[/PERSON]")
  })

  it("does not let data close its block", () => {
    const tag = fc.constantFrom("TAG", "tag", "A-b_1", "TAG_1")
    const part = fc.constantFrom(
      "[/",
      "[",
      "/",
      "]",
      "TAG",
      "tag",
      "TAG_1",
      "_2",
      "A-b_1",
      " ",
      "\n",
      "\\",
      "x",
      "[/TAG]",
    )
    const text = fc.array(part, { maxLength: 12 }).map((parts) => parts.join(""))
    const data = fc.oneof(text, fc.array(text, { maxLength: 3 }), fc.dictionary(text, text, { maxKeys: 3 }))
    let hostile = 0
    fc.assert(
      fc.property(tag, data, (name, value) => {
        const blocks = Array.isArray(value) && value.length > 0 ? value.length : 1
        const content = contentOf(new MessageBuilder().addMessageBlock(name, value))
        const ends = content.match(new RegExp(`\\[\\s*/\\s*${name}(_\\d+)?\\s*\\]`, "gi")) ?? []
        expect(ends).toHaveLength(blocks)
        if (content.includes("\\/")) hostile++
      }),
      { numRuns: 3_000 },
    )
    expect(hostile).toBeGreaterThan(100)
  })

  it("does not let data close its block with invisible characters or letters of another case", () => {
    for (const end of [
      "[/\u200bKEYS]",
      "[\u200b/KEYS]",
      "[/K\u00adEYS\u2060]",
      "[/\u212aEYS]",
      "[/KEY\u017f]",
      "[/KEYS_\u200b1]",
    ])
      expect(contentOf(new MessageBuilder().addMessageBlock("KEYS", end))).toBe(
        `[KEYS]\n${end.replace("/", "\\/")}\n[/KEYS]`,
      )
  })

  it("writes blocks of ordinary objects that a YAML reader can read", () => {
    const data = { text: "a: b\nc", list: [1, { x: null }] }
    const content = contentOf(new MessageBuilder().addMessageBlock("DATA", data))
    expect(parse(content.slice("[DATA]\n".length, -"\n[/DATA]".length))).toEqual(data)
  })

  it.each([
    ["png", PNG],
    ["jpeg", new Uint8Array([0xff, 0xd8, 0xff, 0xe0])],
    ["gif", new TextEncoder().encode("GIF89a...")],
    ["webp", new TextEncoder().encode("RIFF\0\0\0\0WEBPVP8 ")],
  ])("recognizes the bytes of a %s", (type, bytes) => {
    const [message] = new MessageBuilder().addMessageImage(bytes, { detail: "low" }).getMessages()
    const url = `data:image/${type};base64,${Buffer.from(bytes).toString("base64")}`
    expect(message).toEqual({ role: "user", content: [{ type: "image_url", image_url: { url, detail: "low" } }] })
  })

  it("encodes large bytes, of any length, and array buffers", () => {
    for (const length of [24_575, 24_576, 24_577, 100_001]) {
      const bytes = new Uint8Array(length).map((_, index) => PNG[index] ?? index)
      const [message] = new MessageBuilder().addMessageImage(bytes.buffer).getMessages()
      const url = `data:image/png;base64,${Buffer.from(bytes).toString("base64")}`
      expect(message!.content).toEqual([{ type: "image_url", image_url: { url } }])
    }
  })

  it("accepts URLs of images, and rejects everything else", () => {
    const builder = new MessageBuilder().addMessageImage("https://example.com/a.png")
    expect(builder.getMessages()[0]!.content).toEqual([
      { type: "image_url", image_url: { url: "https://example.com/a.png" } },
    ])
    for (const wrong of [
      "a.png",
      "file:///a.png",
      "javascript:alert(1)",
      "data:text/html;base64,AA==",
      "",
      new Uint8Array([1]),
    ])
      expect(() => builder.addMessageImage(wrong)).toThrow(InvalidArgumentError)
    expect(() => builder.addMessageImage(42 as never)).toThrow(/Invalid `image`: expected/)
    for (const detail of ["huge", ["low"]])
      expect(() => builder.addMessageImage(PNG, { detail: detail as never })).toThrow(/detail/)
    expect(() => builder.addMessageImage(PNG, { detial: "low" } as never)).toThrow(
      expect.objectContaining({
        code: "invalid-argument",
        argument: "detial",
        message: expect.stringMatching(/`detail`/),
      }),
    )
    expect(() => builder.addMessageImage(new Uint8Array(20 * 2 ** 20 + 1))).toThrow(
      /at most 20971520 bytes, got 20971521/,
    )
    expect(builder.getMessages()).toHaveLength(1)
  })

  it("accepts files", () => {
    const builder = new MessageBuilder()
      .addMessageFile(new TextEncoder().encode("%PDF-1.7"), { filename: "a.pdf" })
      .addMessageFile(new TextEncoder().encode("a,b"), { mediaType: "text/csv" })
    expect(builder.getMessages().map(({ content }) => content)).toEqual([
      [{ type: "file", file: { file_data: "data:application/pdf;base64,JVBERi0xLjc=", filename: "a.pdf" } }],
      [{ type: "file", file: { file_data: "data:text/csv;base64,YSxi", filename: "file" } }],
    ])
    expect(() => builder.addMessageFile(new Uint8Array([1, 2]))).toThrow(/mediaType/)
    expect(() => builder.addMessageFile("a.pdf")).toThrow(InvalidArgumentError)
    expect(() => builder.addMessageFile("data:text/csv;base64,YSxi", { filename: {} as never })).toThrow(/filename/)
    expect(() => builder.addMessageFile("data:text/csv;base64,YSxi", { fileName: "a.csv" } as never)).toThrow(
      expect.objectContaining({ argument: "fileName", message: expect.stringMatching(/`filename`/) }),
    )
  })

  it("adds tool calls and their results", () => {
    const call = { id: "1", type: "function" as const, function: { name: "add", arguments: "{}" } }
    const builder = new MessageBuilder().addToolCalls([call]).addToolResult("1", { sum: 3 })
    expect(builder.getMessages()).toEqual([
      { role: "assistant", content: null, tool_calls: [call] },
      { role: "tool", tool_call_id: "1", content: "sum: 3" },
    ])
    expect(() => builder.addToolResult(1 as never, "x")).toThrow(InvalidArgumentError)
  })

  it("copies the messages that it receives and returns", () => {
    const given: Message[] = [{ role: "user", content: [{ type: "text", text: "a" }] }]
    const builder = new MessageBuilder().addPrompt(given)
    ;(given[0]!.content as { text: string }[])[0]!.text = "b"
    builder.getMessages()[0]!.content = "c"
    expect(builder.getMessages()).toEqual([{ role: "user", content: [{ type: "text", text: "a" }] }])
  })

  it("rejects invalid messages with all their issues, and adds none of them", () => {
    const builder = new MessageBuilder()
    const wrong = [{ role: "user", content: "fine" }, { role: "robot", content: "x" }, { role: "user" }, null]
    expect(() => builder.addPrompt(wrong as never)).toThrow(
      /3 invalid fields[\s\S]*prompt\[1\].role[\s\S]*prompt\[2\].content/,
    )
    const late = [
      { role: "user", content: "fine" },
      { role: "user", content: "x", later: () => 1 },
    ]
    expect(() => builder.addPrompt(late as never)).toThrow(/prompt: expected plain data, without functions/)
    expect(() => builder.addToolCalls(null as never)).toThrow(/`calls`/)
    expect(builder.getMessages()).toEqual([])
    for (const nothing of [undefined, null, () => "text", Symbol("text"), Promise.resolve("text")]) {
      expect(() => builder.addMessageUser(nothing)).toThrow(InvalidArgumentError)
      expect(() => builder.addMessageBlock("TEXT", nothing)).toThrow(/Invalid `data`: expected a string or data/)
    }
    expect(builder.getMessages()).toEqual([])
    expect(() => builder.addMessageBlock("[/X]", "a")).toThrow(/Invalid `tag`/)
    expect(() => builder.addMessageUser("x".repeat(10_000_001))).toThrow(/at most 10000000 characters, got 10000001/)
  })

  it("adds none of the messages if they do not all fit", () => {
    const turns = (count: number) => Array<Message>(count).fill({ role: "user", content: "a" })
    const builder = new MessageBuilder().addPrompt(turns(9_999))
    expect(() => builder.addPrompt(turns(2))).toThrow(/at most 10000 messages, got 10001/)
    expect(builder.getMessages()).toHaveLength(9_999)
  })

  it("inserts an answer after the message that it answers, or not at all", () => {
    const builder = new MessageBuilder().addMessageUser("one")
    const [first, second] = [builder.openTurn(), builder.openTurn()]
    builder.addMessageUser("two")
    first(answer("1"))
    second(answer("2"))
    expect(builder.getMessages().map(({ content }) => content)).toEqual(["one", "1", "2", "two"])
    builder.clear().addMessageUser("one")
    first(answer("3"))
    new MessageBuilder().openTurn()(answer("no question"))
    expect(builder.getMessages()).toHaveLength(1)
  })

  it("inserts a turn of several messages as a whole, or not at all", () => {
    const builder = new MessageBuilder().addMessageUser("one")
    const [first, second] = [builder.openTurn(), builder.openTurn()]
    builder.addMessageUser("two")
    const calls = [{ id: "c1", type: "function" as const, function: { name: "look", arguments: "{}" } }]
    first([
      { role: "assistant", content: null, tool_calls: calls },
      { role: "tool", tool_call_id: "c1", content: "seen" },
      ...answer("1"),
    ])
    second(answer("2"))
    expect(builder.getMessages().map(({ content }) => content)).toEqual(["one", null, "seen", "1", "2", "two"])
    const full = new MessageBuilder().addPrompt(Array<Message>(9_998).fill({ role: "user", content: "a" }))
    full.openTurn()([...answer("1"), ...answer("2"), ...answer("3")])
    expect(full.getMessages()).toHaveLength(9_998)
  })

  it("formats the conversation for people, and can be cleared", () => {
    const builder = new MessageBuilder().addMessageSystem("Be terse.").addMessageImage(PNG)
    expect(builder.getFormattedPrompt()).toBe("system:\nBe terse.\n\nuser:\n[image_url]")
    expect(builder.clear().getMessages()).toEqual([])
  })

  it("omits fields that are null, and keeps the content", () => {
    const message = { role: "assistant", content: null, tool_calls: null, refusal: null } as never
    expect(new MessageBuilder().addPrompt([message]).getMessages()).toEqual([{ role: "assistant", content: null }])
  })

  it("shows the calls of custom tools", () => {
    const call = { id: "1", type: "custom" as const, custom: { name: "sql", input: "SELECT 1" } }
    const builder = new MessageBuilder().addPrompt([{ role: "assistant", content: null, tool_calls: [call] }])
    expect(builder.getFormattedPrompt()).toBe("assistant:\n[call sql SELECT 1]")
  })
})
