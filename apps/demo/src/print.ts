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
  return formatUsd(nanoUsd)
}

/** Two amounts, and whether they are equal. */
export function compare(first: number, second: number): string {
  return first === second
    ? `${dollars(first)} = ${dollars(second)}, equal`
    : `${dollars(first)} and ${dollars(second)} DIFFER`
}
