import type { ComponentChildren } from "preact"
import type { LimitsView, Range, TotalsView } from "../view"
import type { CallFilter } from "./call-list"
import { integer, short } from "./format"
import { Money } from "./money"

const RANGE_NAMES: Readonly<Record<Range, string>> = {
  "1h": "last hour",
  "24h": "last 24 hours",
  "7d": "last 7 days",
  "30d": "last 30 days",
}

/** The most important figures. */
export function Figures(props: {
  range: Range
  totals: TotalsView | undefined
  limits: LimitsView | undefined
  onShow: (filter: CallFilter) => void
}) {
  const { range, totals, limits, onShow } = props
  const sums = totals?.sums
  return (
    <section aria-label="Summary" class="figures">
      <Figure id="spent" name={`Spent, ${RANGE_NAMES[range]}`} isMain>
        {sums && <Money nanoUsd={sums.costNanoUsd} />}
        {sums && (
          <small>
            {totals.isComplete
              ? `${short(sums.inputTokens)} tokens in, ${short(sums.outputTokens)} out`
              : `Reading the ledger: ${short(sums.calls + sums.denied)} calls so far`}
          </small>
        )}
      </Figure>
      <Figure id="reserved" name="Reserved now">
        {limits && <Money nanoUsd={reservedNow(limits)} />}
        {limits && <small>for calls that are open</small>}
      </Figure>
      <Figure id="calls-made" name="Calls" onShow={() => onShow("all")}>
        {sums && integer(sums.calls)}
        {sums && (
          <small>
            {sums.failed + sums.expired === 0 ? "none failed" : `${integer(sums.failed + sums.expired)} failed`}
          </small>
        )}
      </Figure>
      <Figure id="denied" name="Denied" tone={sums?.denied ? "warn" : undefined} onShow={() => onShow("denied")}>
        {sums && integer(sums.denied)}
        {sums && <small>not sent, cost nothing</small>}
      </Figure>
      <Figure id="in-doubt" name="In doubt" tone={sums?.inDoubt ? "bad" : undefined} onShow={() => onShow("in-doubt")}>
        {sums && integer(sums.inDoubt)}
        {sums && (
          <small>
            <Money nanoUsd={sums.inDoubtNanoUsd} /> charged
          </small>
        )}
      </Figure>
    </section>
  )
}

/** A call is reserved in all of its limits, so the largest sum of one kind of limit is what is reserved. */
function reservedNow({ limits }: LimitsView): number {
  const kinds = new Map<string, Map<string, number>>()
  for (const { unit, scope, tag, value, window, reserved } of limits) {
    if (unit !== "usd") continue
    const kind = JSON.stringify([scope, tag, window])
    // Two limits of one user and window have one counter.
    kinds.set(kind, (kinds.get(kind) ?? new Map()).set(value ?? "", reserved))
  }
  const sums = [...kinds.values()].map((values) => [...values.values()].reduce((sum, each) => sum + each, 0))
  return Math.max(0, ...sums)
}

function Figure(props: {
  id: string
  name: string
  isMain?: boolean
  tone?: "warn" | "bad" | undefined
  onShow?: () => void
  children: ComponentChildren
}) {
  const { id, name, isMain, tone, onShow, children } = props
  const content = (
    <>
      <span class="figure-name">{name}</span>
      <span class="figure-value" data-figure={id}>
        {children}
      </span>
    </>
  )
  const style = `figure card ${isMain ? "figure-main" : ""} ${tone ? `is-${tone}` : ""}`
  if (onShow === undefined) return <div class={style}>{content}</div>
  return (
    <button type="button" class={style} onClick={onShow}>
      {content}
    </button>
  )
}
