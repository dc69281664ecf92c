import { localServer } from "../local-server"
import { guardedMedia } from "./guarded-media"
import { SLOW_MEDIA } from "./media-integrations"
import { describeSDKs } from "./sdk-cases"

describeSDKs(await localServer(), SLOW_MEDIA.map(guardedMedia))
