/** Version of the layout of the keys. Stores with different layouts do not see each other's. */
const LAYOUT = 5

/** Names of the keys of one root. All of them share the hash tag `{root}`, so that one shard holds them. */
export function baseOf(prefix: string, root: string): string {
  return `${prefix}:${LAYOUT}:{${root}}:`
}
