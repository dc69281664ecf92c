import { localServer } from "../local-server"
import { guardedSDK } from "./guarded-sdk"
import { FAST } from "./integrations"
import { describeSDKs } from "./sdk-cases"

describeSDKs(await localServer(), FAST.map(guardedSDK))
