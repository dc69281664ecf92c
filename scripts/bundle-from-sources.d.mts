export function bundleFromSources(options: {
  entry: string
  folder: string
  external?: readonly string[]
}): Promise<void>
