import type { LimitStatus } from "@p2/budget"
import { formatUsd } from "@p2/core"
import type { RunTotals } from "./run-totals"

const REFRESH_MS = 500
/** A smaller terminal, or one that does not report its size, gets no line. */
const MIN_ROWS = 4

/** What the line reads at each refresh. */
export interface WatchSource {
  totals: RunTotals
  status(): Promise<LimitStatus>
}

/** The status line of a run. */
export function describeRun({ calls, denied }: RunTotals, limit: LimitStatus): string {
  const { spentNanoUsd, reservedNanoUsd, remainingNanoUsd } = limit
  const amounts = [
    `spent ${formatUsd(spentNanoUsd!)}`,
    `reserved ${formatUsd(reservedNanoUsd!)}`,
    `remaining ${formatUsd(remainingNanoUsd!)}`,
  ]
  return [`p2: ${amounts.join(" · ")}`, `calls ${calls}`, `denied ${denied}`].join(" · ")
}

/**
 * Keeps a line at the bottom of the terminal, below the output of the program, which scrolls above it. A full-screen
 * program draws over it.
 *
 * @returns a function that removes the line
 */
export function startWatchLine(terminal: NodeJS.WriteStream, source: WatchSource): () => void {
  let last = ""
  const draw = () => {
    const { rows, columns } = terminal
    if (!(rows >= MIN_ROWS)) return
    // Saves the cursor, lets the rows above scroll, writes the last row, and goes back.
    terminal.write(`\x1b7\x1b[1;${rows - 1}r\x1b[${rows};1H\x1b[2K${last.slice(0, columns)}\x1b8`)
  }
  const refresh = async () => {
    try {
      last = describeRun(source.totals, await source.status())
    } catch {
      last = "p2: the store does not respond"
    }
    draw()
  }
  // Adds a row, because the cursor may be in the last one.
  terminal.write("\n\x1b[A")
  const timer = setInterval(refresh, REFRESH_MS)
  terminal.on("resize", draw)
  void refresh()
  return () => {
    clearInterval(timer)
    terminal.off("resize", draw)
    if (terminal.rows >= MIN_ROWS) terminal.write(`\x1b7\x1b[r\x1b[${terminal.rows};1H\x1b[2K\x1b8`)
  }
}
