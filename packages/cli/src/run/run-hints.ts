import type { ProxyOptions } from "@p2/guard/proxy"
import type { RunOptions } from "./run-options"

/** What the person who runs the program can do after a denial or a rejection. */
export function runHints(options: RunOptions): NonNullable<ProxyOptions["hints"]> {
  return {
    budget: raiseLimit(options),
    circuit: "`--max-output-tokens` lowers what a call may cost.",
    prices: "`p2 models` lists the models and prices that p2 knows.",
    maxToolCalls: "Or run the program with `--max-tool-calls`.",
  }
}

/** A run's limit is set by `--budget`; a user's limit can also be topped up. */
function raiseLimit({ per, limit, userId, timeZone }: RunOptions): string {
  const raise = "Start `p2 run` with a larger `--budget`"
  if (per === undefined) return `${raise}.`
  const user = /^[\w.@-]+$/.test(userId) ? userId : "NAME"
  const zone = timeZone === undefined ? "" : ` --time-zone ${timeZone}`
  return `${raise}, or run \`p2 top-up --scope user --user ${user} --limit ${limit} --per ${per}${zone} --amount ${limit}\`.`
}
