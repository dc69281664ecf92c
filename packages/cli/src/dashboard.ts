export { createDashboard } from "./dashboard/create-dashboard"
export type { Dashboard, DashboardOptions } from "./dashboard/dashboard"
export { openInBrowser } from "./dashboard/open-in-browser"
export { type OpenStore, openStore } from "./store/open-store"
