import { registerCalls } from "./calls"
import { registerCheck } from "./check"
import { registerExport } from "./export"
import { registerInit } from "./init"
import { registerKeys } from "./keys"
import type { RegisterCommand } from "./register-command"
import { registerReset } from "./reset"
import { registerServe } from "./serve"
import { registerStatus } from "./status"
import { registerTop } from "./top"
import { registerTopUp } from "./top-up"

/** `p2 serve` and the commands that read or change its store. */
export const SERVER_COMMANDS: readonly RegisterCommand[] = [
  ...[registerServe, registerInit, registerKeys],
  ...[registerStatus, registerTop, registerCalls, registerExport, registerCheck, registerTopUp, registerReset],
]
