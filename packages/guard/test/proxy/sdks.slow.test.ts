import { localServer } from "../local-server"
import { SLOW } from "../sdks/integrations"
import { describeThroughProxy } from "./sdk-cases"

// The proxy knows nothing of a middleware.
const THROUGH_PROXY = SLOW.filter(({ name }) => !name.endsWith("middleware"))

describeThroughProxy(await localServer(), THROUGH_PROXY)
