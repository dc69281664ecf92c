/** Writes to stdout: JSON for programs if they ask for it, else text for people. */
export function print(text: string, json: unknown, { asJson }: { asJson: boolean }): void {
  process.stdout.write(`${asJson ? JSON.stringify(json, null, 2) : text}\n`)
}
