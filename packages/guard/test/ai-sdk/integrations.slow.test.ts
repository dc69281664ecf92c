import { localServer } from "../local-server"
import { describeSDKs } from "../sdks/sdk-cases"
import { SLOW } from "./integrations"

describeSDKs(
  await localServer(),
  SLOW.map((integration) => ({ ...integration, throwsItself: true })),
)
