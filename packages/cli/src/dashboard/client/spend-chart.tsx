import { useEffect, useRef, useState } from "preact/hooks"
import uPlot from "uplot"
import type { TotalsView } from "../view"
import { dayOf, dollars, fullTime, minuteOf } from "./format"
import { Money } from "./money"

const HEIGHT = 240
/** As in app.css. */
const TOOLTIP_WIDTH = 250
const DAY_MS = 86_400_000
const MAX_COLORS = 5

/** Spend over time, stacked by model. */
export function SpendChart({ totals }: { totals: TotalsView | undefined }) {
  const [isTable, setIsTable] = useState(false)
  if (totals === undefined) return <div class="card skeleton skeleton-chart" />
  const isEmpty = totals.series.length === 0
  return (
    <section class="card chart-card" aria-labelledby="chart-heading">
      <div class="section-head">
        <h2 id="chart-heading">Spend over time</h2>
        {isEmpty ? null : (
          <button type="button" class="link" aria-pressed={isTable} onClick={() => setIsTable(!isTable)}>
            {isTable ? "Show as chart" : "Show as table"}
          </button>
        )}
      </div>
      {isEmpty ? <p class="empty">Nothing was spent in this range.</p> : null}
      {isEmpty ? null : isTable ? <SpendTable totals={totals} /> : <Plot totals={totals} />}
      {isEmpty ? null : <Legend totals={totals} />}
    </section>
  )
}

function seriesName({ model, isRest }: TotalsView["series"][number]): string {
  return isRest ? "other models" : (model ?? "unknown")
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0)
}

function Legend({ totals }: { totals: TotalsView }) {
  return (
    <ul class="legend">
      {totals.series.map((series, index) => (
        <li key={seriesName(series)}>
          <i class={`key color-${series.isRest ? "rest" : index + 1}`} />
          <span class="legend-name" title={seriesName(series)}>
            {seriesName(series)}
          </span>
          <Money nanoUsd={sumOf(series.costsNanoUsd)} />
        </li>
      ))}
    </ul>
  )
}

function SpendTable({ totals }: { totals: TotalsView }) {
  const rows = bucketsOf(totals).filter(({ sum }) => sum > 0)
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard
    <section class="table-scroll" tabIndex={0} aria-label="Spend over time, as a table">
      <table>
        <thead>
          <tr>
            <th scope="col">From</th>
            <th scope="col" class="number">
              Spent
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ start, sum }) => (
            <tr key={start}>
              <td>{fullTime(start)}</td>
              <td class="number">
                <Money nanoUsd={sum} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  )
}

interface Bucket {
  start: number
  sum: number
  /** In the order of the series. */
  costs: number[]
}

function bucketsOf({ series, from, bucketMs }: TotalsView): Bucket[] {
  const count = series[0]?.costsNanoUsd.length ?? 0
  return Array.from({ length: count }, (_, index) => {
    const costs = series.map(({ costsNanoUsd }) => costsNanoUsd[index]!)
    return { start: from + index * bucketMs, sum: sumOf(costs), costs }
  })
}

function Plot({ totals }: { totals: TotalsView }) {
  const container = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | undefined>(undefined)
  const [selected, setSelected] = useState<{ index: number; x: number }>()
  const buckets = bucketsOf(totals)
  const shape = JSON.stringify([totals.range, totals.series.map(seriesName)])

  // A plot with the same series only gets new data; others need a new plot.
  useEffect(() => {
    const element = container.current!
    const created = new uPlot(plotOptions(totals, element.clientWidth, setSelected), stacked(totals), element)
    plot.current = created
    const resize = new ResizeObserver(() => created.setSize({ width: element.clientWidth, height: HEIGHT }))
    resize.observe(element)
    const theme = new MutationObserver(() => created.redraw(false))
    theme.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] })
    const system = matchMedia("(prefers-color-scheme: dark)")
    const redraw = () => created.redraw(false)
    system.addEventListener("change", redraw)
    return () => {
      resize.disconnect()
      theme.disconnect()
      system.removeEventListener("change", redraw)
      created.destroy()
    }
  }, [shape])

  useEffect(() => {
    plot.current?.setData(stacked(totals))
  }, [totals])

  const highest = buckets.reduce((best, bucket) => (bucket.sum > best.sum ? bucket : best))
  const summary = `${dollars(sumOf(buckets.map(({ sum }) => sum)))} in this range. Most, ${dollars(highest.sum)}, from ${fullTime(highest.start)}.`
  const bucket = selected === undefined ? undefined : buckets[selected.index]
  return (
    <div class="plot">
      <div ref={container} role="img" aria-label={`Spend over time: ${summary}`} />
      {bucket === undefined || selected === undefined ? null : (
        <div class="tooltip" style={{ left: `${selected.x}px` }}>
          <strong>
            {dayOf(bucket.start)}, {minuteOf(bucket.start)} – {minuteOf(bucket.start + totals.bucketMs)}
          </strong>
          {totals.series.map((series, index) =>
            bucket.costs[index] === 0 ? null : (
              <span key={seriesName(series)}>
                <i class={`key color-${series.isRest ? "rest" : index + 1}`} />
                <em>{seriesName(series)}</em> <b>{dollars(bucket.costs[index]!)}</b>
              </span>
            ),
          )}
          <span class="tooltip-sum">
            <em>Sum</em> <b>{dollars(bucket.sum)}</b>
          </span>
        </div>
      )}
    </div>
  )
}

/** The data of the plot: the highest stack first, because later series are drawn over it. In dollars. */
function stacked(totals: TotalsView): uPlot.AlignedData {
  const buckets = bucketsOf(totals)
  const stacks = totals.series.map((_, index) =>
    buckets.map(({ costs }) => sumOf(costs.slice(0, index + 1)) / 1_000_000_000 || null),
  )
  return [buckets.map(({ start }) => start / 1_000), ...stacks.reverse()]
}

function plotOptions(
  totals: TotalsView,
  width: number,
  onSelect: (selected: { index: number; x: number } | undefined) => void,
): uPlot.Options {
  const bars = uPlot.paths.bars!({ size: [0.75, 28], align: 1, radius: [0.2, 0] })
  const axis = {
    stroke: () => cssColor("--muted"),
    grid: { stroke: () => cssColor("--line"), width: 1 },
    ticks: { show: false },
    font: "12px system-ui, sans-serif",
  }
  const isLong = totals.series[0]!.costsNanoUsd.length * totals.bucketMs > 2 * DAY_MS
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    padding: [12, 32, 0, 0],
    cursor: { y: false, points: { show: false }, drag: { setScale: false, x: false, y: false } },
    scales: {
      x: {
        time: true,
        range: () => [
          totals.from / 1_000,
          (totals.from + totals.series[0]!.costsNanoUsd.length * totals.bucketMs) / 1_000,
        ],
      },
      y: { range: (_plot, _min, max) => [0, max > 0 ? max * 1.1 : 1] },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: 30,
        space: 70,
        values: (_plot, ticks) => ticks.map((tick) => (isLong ? dayOf(tick * 1_000) : minuteOf(tick * 1_000))),
      },
      { ...axis, size: 64, space: 44, values: (_plot, ticks) => ticks.map(axisDollars) },
    ],
    series: [
      {},
      ...totals.series
        .map((series, index) => ({
          label: seriesName(series),
          paths: bars,
          fill: () => cssColor(series.isRest ? "--series-rest" : `--series-${Math.min(index + 1, MAX_COLORS)}`),
          points: { show: false },
        }))
        .reverse(),
    ],
    hooks: {
      setCursor: [
        (plot) => {
          const { idx, left = -1 } = plot.cursor
          onSelect(
            idx == null || left < 0
              ? undefined
              : { index: idx, x: Math.min(Math.max(left + 64, TOOLTIP_WIDTH / 2), plot.width - TOOLTIP_WIDTH / 2) },
          )
        },
      ],
    },
  }
}

function axisDollars(tick: number): string {
  if (tick === 0) return "$0"
  return `$${tick >= 1 ? tick.toLocaleString("en-US") : Number(tick.toPrecision(3))}`
}

/** The color that a variable has now: the variable itself has both themes. */
function cssColor(name: string): string {
  const probe = document.documentElement.appendChild(document.createElement("i"))
  probe.style.color = `var(${name})`
  const { color } = getComputedStyle(probe)
  probe.remove()
  return color
}
