import { formatUsd } from "@p2/core"

const color = process.stdout.isTTY === true && process.env.NO_COLOR === undefined

/** A heading between two parts of the demo. */
export function heading(text: string): void {
  console.log(`\n${color ? `\x1b[1m=== ${text} ===\x1b[0m` : `=== ${text} ===`}`)
}

/** Aligned lines of a label and a value. */
export function table(rows: Record<string, string | number | boolean | null | undefined>): void {
  const width = Math.max(...Object.keys(rows).map((label) => label.length))
  for (const [label, value] of Object.entries(rows)) console.log(`  ${label.padEnd(width)}  ${value ?? "-"}`)
}

export function dollars(nanoUsd: number): string {
  return `$${formatUsd(nanoUsd)}`
}

/** Whether two amounts are the same, in words and with the amounts. */
export function compare(ours: number, theirs: number): string {
  return ours === theirs
    ? `${dollars(ours)} = ${dollars(theirs)}, equal`
    : `${dollars(ours)} and ${dollars(theirs)} DIFFER`
}
