import { localServer } from "../local-server"
import { guardedMedia } from "./guarded-media"
import { FAST_MEDIA } from "./media-integrations"
import { describeSDKs } from "./sdk-cases"

describeSDKs(await localServer(), FAST_MEDIA.map(guardedMedia))
