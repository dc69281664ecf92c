import { parseArgs } from "node:util"
import type { BudgetStore } from "@p2/budget"

/** The parsed command line. */
export interface DemoOptions {
  live: boolean
  model: string
  prompt: string
  /** USD, as typed. */
  smallBudget: string
  budget: string
  store: string | undefined
  callers: number
  affordable: number
  documents: number
  /** Whether to show the calls live in the dashboard. */
  dashboard: boolean
}

/** The `store` of the clients: an address, a store that the dashboard also reads, or the default. */
export type DemoStore = BudgetStore | string | undefined

export const HELP = `p2 demo: a typed answer under two budgets, then concurrent callers on one budget, and a batch.

Usage: npm start -- [options]

  --live                 call a real provider (needs OPENROUTER_API_KEY or OPENAI_API_KEY; costs at most a few cents)
  --model ID             model to call             (default: openrouter/openai/gpt-4o-mini-2024-07-18)
  --prompt TEXT          the user message          (default: Describe who is David Copperfield)
  --small-budget USD     the budget that denies    (default: 0.0001)
  --budget USD           the budget that allows    (default: 0.05)
  --store URL            memory:, file:./p2.db, redis://… or postgres://… (default: REDIS_URL when set, else memory:)
  --callers N            concurrent callers        (default: 50)
  --affordable N         calls that fit the shared budget (default: 10)
  --documents N          documents of the batch    (default: 50)
  --dashboard            show the calls live in the dashboard; the program then runs until you press Ctrl+C
  --help                 print this text

Without --live, the demo uses a local provider, and compares the receipts with the provider's own ledger.`

/** @throws Error when an option is unknown or invalid. */
export function readOptions(args: string[]): DemoOptions | "help" {
  const { values } = parseArgs({
    args,
    options: {
      live: { type: "boolean", default: false },
      model: { type: "string" },
      prompt: { type: "string", default: "Describe who is David Copperfield" },
      "small-budget": { type: "string", default: "0.0001" },
      budget: { type: "string", default: "0.05" },
      store: { type: "string" },
      callers: { type: "string", default: "50" },
      affordable: { type: "string", default: "10" },
      dashboard: { type: "boolean", default: false },
      documents: { type: "string", default: "50" },
      help: { type: "boolean", default: false },
    },
  })
  if (values.help) return "help"
  const hasOnlyOpenAIKey = values.live && process.env.OPENROUTER_API_KEY === undefined
  return {
    live: values.live,
    model: values.model ?? (hasOnlyOpenAIKey ? "openai/gpt-4o-mini" : "openrouter/openai/gpt-4o-mini-2024-07-18"),
    prompt: values.prompt,
    smallBudget: values["small-budget"],
    budget: values.budget,
    store: values.store ?? process.env.REDIS_URL,
    callers: count("--callers", values.callers, 10_000),
    affordable: count("--affordable", values.affordable, 10_000),
    dashboard: values.dashboard,
    documents: count("--documents", values.documents, 10_000),
  }
}

function count(option: string, text: string, max: number): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1 || value > max)
    throw new Error(`Invalid ${option}: expected an integer from 1 to ${max}, got ${JSON.stringify(text)}.`)
  return value
}
