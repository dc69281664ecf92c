import { describeTransports } from "./send-watch-cases"
import { FAST } from "./sending/transports"

describeTransports(FAST)
