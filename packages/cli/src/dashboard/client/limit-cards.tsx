import { useState } from "preact/hooks"
import type { LimitsView, LimitView } from "../view"
import { amount, coarse, integer, limitTitle, percent, windowName } from "./format"
import { Money } from "./money"

const FEW = 6
/** From these shares of a limit on, it is shown as near and as reached. */
const NEAR = 0.8

export function LimitCards({ limits }: { limits: LimitsView | undefined }) {
  const [isOpen, setIsOpen] = useState(false)
  if (limits === undefined) return <div class="card skeleton skeleton-cards" />
  const all = limits.limits
  const shown = isOpen ? all : all.slice(0, FEW)
  return (
    <section aria-labelledby="limits-heading">
      <div class="section-head">
        <h2 id="limits-heading">Limits</h2>
        {all.length > FEW ? (
          <button type="button" class="link" aria-expanded={isOpen} onClick={() => setIsOpen(!isOpen)}>
            {isOpen ? "Show the nearest" : `Show all ${all.length}`}
          </button>
        ) : null}
      </div>
      {all.length === 0 ? <p class="empty card">No limit has been used yet.</p> : null}
      <ul class="limits">
        {shown.map((limit) => (
          <LimitCard key={limit.id} limit={limit} />
        ))}
      </ul>
      {isOpen && limits.more > 0 ? <p class="hint">{integer(limits.more)} more limits are less used.</p> : null}
    </section>
  )
}

function LimitCard({ limit }: { limit: LimitView }) {
  const { unit, spent, reserved, granted, remaining, resetsAt } = limit
  const { name, kind } = limitTitle(limit)
  const allowed = limit.limit === null ? null : limit.limit + granted
  const share = allowed === null ? null : allowed <= 0 ? 1 : (spent + reserved) / allowed
  const tone = share === null ? "" : share >= 1 ? "is-bad" : share >= NEAR ? "is-warn" : ""
  return (
    <li class={`card limit ${tone}`} data-limit={limit.id}>
      <div class="limit-head">
        <span class="limit-name" title={name}>
          {name}
        </span>
        {kind === "" ? null : <span class="chip">{kind}</span>}
        <span class="limit-window">{windowName(limit)}</span>
      </div>
      <div class="limit-amounts">
        <span class="limit-spent">
          <Amount unit={unit} value={spent} />
        </span>
        <span class="muted">
          {allowed === null ? "no limit" : `of ${amount(unit, allowed)}`}
          {granted === 0 ? "" : ` (${amount(unit, granted)} added)`}
        </span>
        {share === null ? null : <span class="limit-share">{percent(share)}</span>}
      </div>
      {allowed === null ? null : (
        // The amounts next to it state the same in words.
        <div class="meter" aria-hidden="true">
          <span class="meter-spent" style={{ width: widthOf(spent, allowed) }} />
          <span class="meter-reserved" style={{ width: widthOf(reserved, allowed) }} />
        </div>
      )}
      <div class="limit-foot">
        <span>
          <i class="key key-reserved" />
          <Amount unit={unit} value={reserved} /> reserved
        </span>
        {remaining === null ? null : (
          <span>
            <Amount unit={unit} value={remaining} /> remaining
          </span>
        )}
        {resetsAt === null ? null : <span class="muted">resets in {coarse(Math.max(0, resetsAt - Date.now()))}</span>}
      </div>
    </li>
  )
}

function Amount({ unit, value }: { unit: LimitView["unit"]; value: number }) {
  return unit === "usd" ? <Money nanoUsd={value} /> : <span>{amount(unit, value)}</span>
}

function widthOf(part: number, allowed: number): string {
  return `${Math.min(100, allowed <= 0 ? 100 : (part / allowed) * 100)}%`
}
