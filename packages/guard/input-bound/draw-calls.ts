import type { Draw } from "../fuzz/draw"
import { AGENT_RUN, RECORDED, type RecordedCall, type RecordedTurn } from "./recorded-bodies"

/** What a mix of applications sends, by the share of each kind of call. */
export type CallMix = Readonly<Record<CallKind, number>>

export type CallKind = "agent" | "english" | "code" | "table" | "german" | "russian" | "chinese" | "hindi" | "hashes"

/** English, code and agents. */
export const FIRST_MIX: CallMix = {
  ...{ agent: 15, english: 45, code: 15, table: 10, german: 10 },
  ...{ russian: 3, chinese: 2, hindi: 0, hashes: 0 },
}

/** Other customers: more languages, and logs with hashes. */
export const LAST_MIX: CallMix = {
  ...{ agent: 20, english: 15, code: 10, table: 15, german: 10 },
  ...{ russian: 10, chinese: 10, hindi: 5, hashes: 5 },
}

const recorded = (name: string): string => {
  const turn = RECORDED.find((call) => call.name === name)!.turns[0]!
  return turn.kind === "tool" ? turn.result : turn.text
}

const SENTENCES: Readonly<Partial<Record<CallKind, string[]>>> = {
  english: recorded("chat, one question").split(/(?<=\.) /),
  german: recorded("German").split(/(?<=[.,]) /),
  russian: recorded("Russian").split(/(?<=[.,;]) /),
  chinese: recorded("Chinese").split(/(?<=[。，])/),
  hindi: recorded("Hindi").split(/(?<=[।,]) /),
  code: recorded("code review").split("\n"),
  table: recorded("table of 60 rows").split("\n"),
}

const SYSTEM = RECORDED.find(({ name }) => name === "chat, one question")!.system

/**
 * Draws a call that differs from all earlier ones: sentences, lines and rows in random order, with random names and
 * numbers.
 */
export function drawCall(draw: Draw, mix: CallMix): RecordedCall {
  const kind = drawKind(draw, mix)
  if (kind === "agent") return drawAgent(draw)
  return { name: kind, system: SYSTEM, tools: [], turns: [{ kind: "user", text: drawText(draw, kind) }] }
}

function drawKind(draw: Draw, mix: CallMix): CallKind {
  const kinds = Object.entries(mix) as [CallKind, number][]
  let at = draw.next() * kinds.reduce((sum, [, share]) => sum + share, 0)
  for (const [kind, share] of kinds) {
    at -= share
    if (at < 0) return kind
  }
  return "english"
}

function drawText(draw: Draw, kind: CallKind): string {
  if (kind === "hashes") return draw.list(10, 40, () => drawHash(draw)).join("\n")
  const sentences = SENTENCES[kind]!
  const separator = kind === "code" || kind === "table" ? "\n" : " "
  const name = draw.list(3, 9, () => draw.pick("abcdefghijklmnoprstuvwz".split(""))).join("")
  return draw
    .list(2, kind === "code" || kind === "table" ? 60 : 16, () => {
      const sentence = draw.pick(sentences)
      return draw.chance(0.3) ? `${sentence} ${name} ${draw.between(1, 99_999)}` : sentence
    })
    .join(separator)
}

function drawHash(draw: Draw): string {
  return draw.list(20, 40, () => draw.pick("0123456789abcdef".split(""))).join("")
}

function drawAgent(draw: Draw): RecordedCall {
  const { system, tools } = AGENT_RUN[0]!
  const steps = draw.list(1, 3, (): RecordedTurn => {
    const kind = draw.pick(["code", "table", "english"] as const)
    return {
      kind: "tool",
      name: "read_file",
      input: { path: `src/${drawHash(draw).slice(0, 6)}.ts` },
      result: drawText(draw, kind),
    }
  })
  const task: RecordedTurn = { kind: "user", text: drawText(draw, "english") }
  return { name: "agent", system, tools: tools.slice(0, draw.between(8, tools.length)), turns: [task, ...steps] }
}
