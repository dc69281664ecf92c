/** Hides Node's warning that its SQLite is experimental, which every command would print. */
export function hideSqliteWarning(): void {
  const emitWarning = process.emitWarning as (warning: string | Error, ...options: unknown[]) => void
  process.emitWarning = (warning: string | Error, ...options: unknown[]) => {
    if (!/^SQLite is an experimental feature/.test(String(warning))) emitWarning.call(process, warning, ...options)
  }
}
