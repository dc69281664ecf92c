import { localServer } from "../local-server"
import { describeSDKs } from "../sdks/sdk-cases"
import { FAST } from "./integrations"

describeSDKs(
  await localServer(),
  FAST.map((integration) => ({ ...integration, throwsItself: true })),
)
