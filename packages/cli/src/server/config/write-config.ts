import { writeFileSync } from "node:fs"
import { CONFIG_TEMPLATE } from "./config-template"
import { configError } from "./read-config"

/** Writes the commented configuration. @throws InvalidArgumentError if the file exists and `force` is false, or if it cannot be written */
export function writeConfig(path: string, force: boolean): void {
  try {
    writeFileSync(path, CONFIG_TEMPLATE, { flag: force ? "w" : "wx" })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const problem =
      code === "EEXIST" ? "The file exists. Pass `--force` to replace it." : `The file cannot be written (${code}).`
    throw configError(path, problem)
  }
}
