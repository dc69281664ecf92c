import type { RegisterCommand } from "../program"
import { registerInit } from "./init"
import { registerKeys } from "./keys"
import { registerServe } from "./serve"

/** The commands of the server, and those that read its store. */
export const SERVER_COMMANDS: readonly RegisterCommand[] = [registerServe, registerInit, registerKeys]
