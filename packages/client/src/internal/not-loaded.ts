import { MissingPackageError } from "../client-errors"

/**
 * Throws what the import of a package that need not be there threw.
 * @throws MissingPackageError when it is not installed.
 */
export function notLoaded(name: string, what: string, cause: unknown): never {
  if (!/MODULE_NOT_FOUND$/.test(String((cause as { code?: unknown }).code))) throw cause
  throw new MissingPackageError(name, what, cause)
}
