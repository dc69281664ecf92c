import { type Hint, withoutSetting } from "../output/hints"
import type { RunOptions } from "./run-options"

/** The options of `p2 run` by the option of the library that they set. */
const OPTIONS: Readonly<Record<string, string>> = {
  maxOutputTokens: "--max-output-tokens",
  maxToolCalls: "--max-tool-calls",
  serviceTier: "--service-tier",
}

/** What the messages of the proxy recommend, in the words of `p2 run`. */
export function runHints(options: RunOptions): readonly Hint[] {
  const remedy = raiseLimit(options)
  return [
    withoutSetting,
    (sentence) => sentence.replace(/; `charge` or `unbilledStatuses`[^.]*/, ""),
    (sentence) =>
      sentence.replace(/`(\w+)`/g, (word, name: string) => (name in OPTIONS ? `\`${OPTIONS[name]}\`` : word)),
    (sentence) => sentence.replace(/, top up or raise the limit/, `, or ${remedy}`),
    (sentence) => sentence.replace(/top up or raise the limit/, remedy),
  ]
}

/** The limit of one run is that of `--budget`; that of a user can also be topped up. */
function raiseLimit({ per, limit, userId, timeZone }: RunOptions): string {
  const raise = "start `p2 run` with a larger `--budget`"
  if (per === undefined) return raise
  const user = /^[\w.@-]+$/.test(userId) ? userId : "NAME"
  const zone = timeZone === undefined ? "" : ` --time-zone ${timeZone}`
  return `${raise}, or run \`p2 top-up --scope user --user ${user} --limit ${limit} --per ${per}${zone} --amount ${limit}\``
}
