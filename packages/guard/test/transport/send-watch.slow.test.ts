import { describeTransports } from "./send-watch-cases"
import { SLOW } from "./sending/transports"

describeTransports(SLOW)
