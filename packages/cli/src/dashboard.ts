export { createDashboard } from "./dashboard/create-dashboard"
export type { Dashboard, DashboardOptions } from "./dashboard/dashboard"
