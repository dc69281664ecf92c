import { localServer } from "../local-server"
import { guardedSDK } from "./guarded-sdk"
import { SLOW } from "./integrations"
import { describeSDKs } from "./sdk-cases"

describeSDKs(await localServer(), SLOW.map(guardedSDK))
