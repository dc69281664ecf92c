import { useState } from "preact/hooks"
import { RANGES, type Range } from "../view"
import { Breakdown } from "./breakdown"
import { type CallFilter, CallList } from "./call-list"
import { Figures } from "./figures"
import { Header } from "./header"
import { LimitCards } from "./limit-cards"
import { Notice } from "./notice"
import { SpendChart } from "./spend-chart"
import { useLive } from "./stream"

export function App({ base, title }: { base: string; title: string }) {
  const [range, setRange] = useState<Range>("24h")
  const [filter, setFilter] = useState<CallFilter>("all")
  const { connection, limits, totals, calls, problem } = useLive(base, range)
  const isCurrent = totals?.range === range
  const showCalls = (next: CallFilter) => {
    setFilter(next)
    document.getElementById("calls")?.scrollIntoView()
  }
  return (
    <>
      <a class="skip" href="#main">
        Skip to content
      </a>
      <Header
        title={title}
        connection={connection}
        range={range}
        ranges={Object.keys(RANGES) as Range[]}
        onRange={setRange}
      />
      <main id="main" class={isCurrent ? "" : "is-loading"} aria-busy={!isCurrent}>
        <Notice connection={connection} problem={problem?.message ?? null} dropped={calls?.dropped ?? 0} />
        <Figures range={range} totals={totals} limits={limits} onShow={showCalls} />
        <LimitCards limits={limits} />
        <div class="columns">
          <SpendChart totals={totals} />
          <Breakdown totals={totals} />
        </div>
        <CallList base={base} calls={calls} filter={filter} onFilter={setFilter} />
      </main>
    </>
  )
}
