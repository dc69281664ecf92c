import { localServer } from "../local-server"
import { FAST } from "../sdks/integrations"
import { describeThroughProxy } from "./sdk-cases"

describeThroughProxy(await localServer(), FAST)
