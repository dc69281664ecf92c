/**
 * Calls a callback that only observes, such as a logger. An error that it throws, or with which its promise rejects, is
 * ignored: it must neither lose an answer nor end the process.
 */
export function callObserver(observe: () => unknown): void {
  try {
    const result = observe()
    if (result !== undefined) Promise.resolve(result).catch(() => {})
  } catch {}
}
