import type { KeyRecord } from "../keys/virtual-key"
import type { ServeConfig } from "./config-schema"

/** The keys of a configuration, as a store would keep them. */
export function configKeys({ keys }: Pick<ServeConfig, "keys">): KeyRecord[] {
  return keys.map(({ id, hash, name, user, client, tags, models, limits, expires }) => ({
    ...{ id, hash, name, tags, models, limits },
    userId: user,
    clientId: client,
    createdAt: 0,
    expiresAt: expires === undefined ? null : Date.parse(expires),
    revokedAt: null,
  }))
}
