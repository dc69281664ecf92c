/** `auto` follows the system. */
export type Theme = "auto" | "light" | "dark"

export const THEMES: readonly Theme[] = ["auto", "light", "dark"]
const KEY = "p2-theme"

export function readTheme(): Theme {
  try {
    const stored = localStorage.getItem(KEY)
    return THEMES.find((theme) => theme === stored) ?? "auto"
  } catch {
    // Storage may be blocked.
    return "auto"
  }
}

export function applyTheme(theme: Theme): void {
  if (theme === "auto") delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = theme
}

export function storeTheme(theme: Theme): void {
  applyTheme(theme)
  try {
    localStorage.setItem(KEY, theme)
  } catch {
    // The choice lasts as long as the page.
  }
}
