import { useState } from "preact/hooks"
import type { Range } from "../view"
import { Segmented } from "./segmented"
import type { Connection } from "./stream"
import { readTheme, storeTheme, THEMES, type Theme } from "./theme"

const STATES: Readonly<Record<Connection, string>> = {
  connecting: "Connecting",
  live: "Live",
  lost: "Reconnecting",
  "signed-out": "Signed out",
}

const THEME_NAMES: Readonly<Record<Theme, string>> = { auto: "System", light: "Light", dark: "Dark" }
const THEME_ICONS: Readonly<Record<Theme, string>> = {
  auto: "M12 3a9 9 0 1 0 0 18zM12 3v18a9 9 0 0 0 0-18z",
  light:
    "M12 7a5 5 0 1 1 0 10 5 5 0 0 1 0-10zM12 1v3M12 20v3M1 12h3M20 12h3M4.2 4.2l2.1 2.1M17.7 17.7l2.1 2.1M4.2 19.8l2.1-2.1M17.7 6.3l2.1-2.1",
  dark: "M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5z",
}

export function Header(props: {
  title: string
  connection: Connection
  range: Range
  ranges: readonly Range[]
  onRange: (range: Range) => void
}) {
  const { title, connection, range, ranges, onRange } = props
  return (
    <header class="bar">
      <div class="brand">
        <svg class="logo" viewBox="0 0 32 32" aria-hidden="true">
          <rect width="32" height="32" rx="8" />
          <path d="M7 22h4V12H7zm7 0h4V7h-4zm7 0h4v-7h-4z" />
        </svg>
        <h1>p2</h1>
        {title === "" ? null : <code class="title">{title}</code>}
      </div>
      <div class="controls">
        <span class={`state state-${connection}`} role="status">
          <span class="dot" />
          {STATES[connection]}
        </span>
        <Segmented
          label="Range"
          value={range}
          options={ranges.map((value) => ({ value, text: value }))}
          onChange={onRange}
        />
        <ThemeButton />
      </div>
    </header>
  )
}

function ThemeButton() {
  const [theme, setTheme] = useState(readTheme)
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]!
  const change = () => {
    storeTheme(next)
    setTheme(next)
  }
  const label = `Colors: ${THEME_NAMES[theme]}. Change to ${THEME_NAMES[next]}`
  return (
    <button type="button" class="icon-button" aria-label={label} title={label} onClick={change}>
      <svg viewBox="0 0 24 24" aria-hidden="true">
        <path d={THEME_ICONS[theme]} />
      </svg>
    </button>
  )
}
