import { useEffect, useState } from "preact/hooks"
import type { CallsView, CallView } from "../view"
import { CallRow } from "./call-row"
import { integer } from "./format"
import { Segmented } from "./segmented"

export type CallFilter = "all" | "denied" | "in-doubt" | "failed"

const FILTERS: Readonly<Record<CallFilter, (call: CallView) => boolean>> = {
  all: () => true,
  denied: ({ status }) => status === "denied",
  "in-doubt": ({ inDoubt }) => inDoubt,
  failed: ({ status }) => status === "failed" || status === "expired",
}
const NAMES: Readonly<Record<CallFilter, string>> = {
  all: "All",
  denied: "Denied",
  "in-doubt": "In doubt",
  failed: "Failed",
}
const EMPTY: Readonly<Record<CallFilter, string>> = {
  all: "No calls yet. They appear here as they end.",
  denied: "No denied call among the calls that are loaded.",
  "in-doubt": "No call in doubt among the calls that are loaded.",
  failed: "No failed call among the calls that are loaded.",
}
const FIRST_SHOWN = 25
/** Loaded calls; a page that stays open must not grow without end. */
const MAX_LOADED = 5_000

export function CallList(props: {
  base: string
  calls: CallsView | undefined
  filter: CallFilter
  onFilter: (filter: CallFilter) => void
}) {
  const { base, calls: newest, filter, onFilter } = props
  const [loaded, setLoaded] = useState<CallsView>({ calls: [], cursor: null, dropped: 0 })
  const [shownCount, setShownCount] = useState(FIRST_SHOWN)
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set())
  const [error, setError] = useState("")

  useEffect(() => {
    if (newest !== undefined) setLoaded((before) => withNewest(before, newest))
  }, [newest])

  const toggle = (id: string) => {
    const next = new Set(open)
    if (!next.delete(id)) next.add(id)
    setOpen(next)
  }
  const matching = loaded.calls.filter(FILTERS[filter])
  const shown = matching.slice(0, shownCount)
  const hasMore = shown.length < matching.length || loaded.cursor !== null
  const showMore = async () => {
    setShownCount(shownCount + FIRST_SHOWN * 2)
    if (loaded.cursor === null || matching.length > shownCount + FIRST_SHOWN * 2) return
    try {
      const response = await fetch(`${base}/calls?cursor=${encodeURIComponent(loaded.cursor)}`)
      if (!response.ok) throw new Error(`Status ${response.status}`)
      const older = (await response.json()) as CallsView
      setLoaded((before) => ({ ...before, calls: merge(before.calls, older.calls), cursor: older.cursor }))
      setError("")
    } catch {
      setError("Older calls could not be loaded.")
    }
  }
  return (
    <section id="calls" class="card calls" aria-labelledby="calls-heading">
      <div class="section-head">
        <h2 id="calls-heading">Latest calls</h2>
        <Segmented
          label="Show"
          value={filter}
          options={(Object.keys(NAMES) as CallFilter[]).map((value) => ({
            value,
            text: NAMES[value],
            ...(value !== "all" && { count: loaded.calls.filter(FILTERS[value]).length }),
          }))}
          onChange={onFilter}
        />
      </div>
      {newest === undefined ? <div class="skeleton skeleton-calls" /> : null}
      {newest !== undefined && shown.length === 0 ? <p class="empty">{EMPTY[filter]}</p> : null}
      {shown.length === 0 ? null : (
        <table class="call-table">
          <thead>
            <tr>
              <th scope="col">Time</th>
              <th scope="col">Who</th>
              <th scope="col">Model</th>
              <th scope="col">Status</th>
              <th scope="col" class="number">
                Tokens
              </th>
              <th scope="col" class="number">
                Cost
              </th>
              <th scope="col">
                <span class="visually-hidden">Receipt</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {shown.map((call) => (
              <CallRow key={call.id} call={call} isOpen={open.has(call.id)} onToggle={() => toggle(call.id)} />
            ))}
          </tbody>
        </table>
      )}
      {error === "" ? null : (
        <p class="notice" role="alert">
          {error}
        </p>
      )}
      {filter !== "all" && hasMore ? (
        <p class="hint">Filters the newest {integer(loaded.calls.length)} calls, which are loaded.</p>
      ) : null}
      {hasMore ? (
        <button type="button" class="button button-more" onClick={() => void showMore()}>
          Show older calls
        </button>
      ) : null}
    </section>
  )
}

/** The newest calls, then the older ones that were loaded. If some between them were missed, the older ones are dropped. */
function withNewest(loaded: CallsView, newest: CallsView): CallsView {
  const ids = new Set(loaded.calls.map(({ id }) => id))
  const isConnected = newest.cursor === null || newest.calls.some(({ id }) => ids.has(id))
  if (loaded.calls.length === 0 || !isConnected) return newest
  const calls = merge(newest.calls, loaded.calls)
  return calls.length > MAX_LOADED ? newest : { ...newest, calls, cursor: loaded.cursor ?? newest.cursor }
}

/** Calls of both lists, newest first; the first list has the current state of a call. */
function merge(first: readonly CallView[], second: readonly CallView[]): CallView[] {
  const calls = new Map([...second, ...first].map((call) => [call.id, call]))
  return [...calls.values()].sort((a, b) => b.at - a.at || (a.id < b.id ? 1 : -1))
}
