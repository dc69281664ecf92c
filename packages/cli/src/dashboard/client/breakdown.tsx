import { useState } from "preact/hooks"
import type { GroupView, TotalsView } from "../view"
import { integer, short } from "./format"
import { Money } from "./money"

const NAMES = { model: "Model", user: "User", client: "Client", tag: "Tag" } as const
const FEW = 8

/** Who and what spent the most. */
export function Breakdown({ totals }: { totals: TotalsView | undefined }) {
  const [chosen, setChosen] = useState("Model")
  const [isOpen, setIsOpen] = useState(false)
  if (totals === undefined) return <div class="card skeleton skeleton-chart" />
  const groups = totals.groups
    .filter(({ rows }) => rows.some(({ value }) => value !== null))
    .map((group) => ({ ...group, name: group.tag ?? NAMES[group.kind] }))
  const current = groups.find(({ name }) => name === chosen) ?? groups[0]
  const rows = current === undefined ? [] : isOpen ? current.rows : current.rows.slice(0, FEW)
  return (
    <section class="card breakdown" aria-labelledby="breakdown-heading">
      <div class="section-head">
        <h2 id="breakdown-heading">Who spent it</h2>
        {groups.length < 2 ? null : (
          <Tabs names={groups.map(({ name }) => name)} chosen={current!.name} onChoose={setChosen} />
        )}
      </div>
      {current === undefined ? (
        <p class="empty">No calls in this range.</p>
      ) : (
        <div id="breakdown-panel" role="tabpanel" aria-label={current.name}>
          <table class="groups">
            <thead>
              <tr>
                <th scope="col">{current.name}</th>
                <th scope="col" class="number">
                  Calls
                </th>
                <th scope="col" class="number wide">
                  Tokens
                </th>
                <th scope="col" class="number">
                  Denied
                </th>
                <th scope="col" class="number">
                  Spent
                </th>
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <GroupRow key={row.value ?? ""} row={row} most={current.rows[0]!.costNanoUsd} />
              ))}
            </tbody>
          </table>
          {current.rows.length > FEW ? (
            <button type="button" class="link" aria-expanded={isOpen} onClick={() => setIsOpen(!isOpen)}>
              {isOpen ? "Show fewer" : `Show ${current.rows.length}`}
            </button>
          ) : null}
          {isOpen && current.more > 0 ? <p class="hint">{integer(current.more)} more spent less.</p> : null}
        </div>
      )}
    </section>
  )
}

function GroupRow({ row, most }: { row: GroupView; most: number }) {
  return (
    <tr data-group={row.value ?? ""}>
      <th scope="row">
        <span class="group-name" title={row.value ?? undefined}>
          {row.value ?? <span class="muted">none</span>}
        </span>
        <span class="bar-line" aria-hidden="true">
          <span style={{ width: `${most === 0 ? 0 : (row.costNanoUsd / most) * 100}%` }} />
        </span>
      </th>
      <td class="number">{integer(row.calls)}</td>
      <td class="number wide">{short(row.inputTokens + row.outputTokens)}</td>
      <td class={`number ${row.denied > 0 ? "warn-text" : "muted"}`}>{integer(row.denied)}</td>
      <td class="number">
        <Money nanoUsd={row.costNanoUsd} />
      </td>
    </tr>
  )
}

/** Arrow keys move between tabs, and Tab leaves them (WAI-ARIA Authoring Practices). */
function Tabs(props: { names: readonly string[]; chosen: string; onChoose: (name: string) => void }) {
  const { names, chosen, onChoose } = props
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key]
    if (step === undefined) return
    event.preventDefault()
    const index = (names.indexOf(chosen) + step + names.length) % names.length
    onChoose(names[index]!)
    const tabs = (event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>("[role=tab]")
    tabs[index]?.focus()
  }
  return (
    <div class="segmented" role="tablist" aria-label="Group by" onKeyDown={onKeyDown}>
      {names.map((name) => (
        <button
          type="button"
          role="tab"
          key={name}
          aria-selected={name === chosen}
          aria-controls="breakdown-panel"
          tabIndex={name === chosen ? 0 : -1}
          onClick={() => onChoose(name)}
        >
          {name}
        </button>
      ))}
    </div>
  )
}
