import { MissingPackageError } from "../client-errors"

/** Imports an optional package. @throws MissingPackageError when it is not installed. */
export async function load<Module>(name: string, importing: () => Promise<Module>, what: string): Promise<Module> {
  try {
    return await importing()
  } catch (cause) {
    if (!/MODULE_NOT_FOUND$/.test(String((cause as { code?: unknown }).code))) throw cause
    throw new MissingPackageError(name, what, cause)
  }
}
