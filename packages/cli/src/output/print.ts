/** Writes to stdout: JSON with `--json`, otherwise text. */
export function print(text: string, json: unknown, { asJson }: { asJson: boolean }): void {
  process.stdout.write(`${asJson ? JSON.stringify(json, null, 2) : text}\n`)
}
