// First, and exported so that the build keeps it here: uPlot, which the app imports, needs a valid language when it loads.
export { LOCALE } from "./locale"

import { render } from "preact"
import { App } from "./app"
import { applyTheme, readTheme } from "./theme"

applyTheme(readTheme())
document.addEventListener("DOMContentLoaded", () => {
  const root = document.getElementById("app")!
  const { base = "", title = "" } = root.dataset
  render(<App base={base} title={title} />, root)
})
