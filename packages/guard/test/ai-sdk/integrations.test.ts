import { describeSDKs } from "../sdks/sdk-cases"
import { INTEGRATIONS } from "./integrations"

describeSDKs(INTEGRATIONS.map((integration) => ({ ...integration, throwsItself: true })))
