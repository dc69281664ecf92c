/**
 * The language of the browser; `en-US` instead of an invalid tag, such as `en-US@posix`, which Chromium reports in the
 * POSIX locale. uPlot reads `navigator.language` when it loads and fails on such a tag, so that is replaced too.
 */
function usableLocale(): string {
  const { language } = navigator
  try {
    return Intl.getCanonicalLocales(language)[0] ?? "en-US"
  } catch {
    Object.defineProperty(navigator, "language", { value: "en-US" })
    return "en-US"
  }
}

export const LOCALE = usableLocale()
