/** A column of a table. */
export interface Column {
  title: string
  align?: "left" | "right"
}

/** Rows below their titles, with columns two spaces apart and no trailing spaces. */
export function renderTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const lines = [columns.map(({ title }) => title), ...rows]
  const widths = columns.map((_column, index) => Math.max(...lines.map((line) => (line[index] ?? "").length)))
  return lines
    .map((line) =>
      columns
        .map(({ align = "left" }, index) => {
          const text = printable(line[index] ?? "")
          return align === "right" ? text.padStart(widths[index]!) : text.padEnd(widths[index]!)
        })
        .join("  ")
        .trimEnd(),
    )
    .join("\n")
}

/** Names come from callers and providers: control characters could change other parts of the terminal. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, "?")
}

/** The same for text with several lines. */
export function printableLines(text: string): string {
  return text.split("\n").map(printable).join("\n")
}

/** `12,345` */
export function formatCount(count: number): string {
  return count.toLocaleString("en-US")
}
