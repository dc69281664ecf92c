import { Cluster, Redis } from "ioredis"

/** A client of one server, or of the Cluster of several. */
export function connect(urls: readonly string[]): Redis | Cluster {
  const [url] = urls
  return urls.length === 1 ? new Redis(url!, { lazyConnect: true }) : new Cluster([...urls], { lazyConnect: true })
}
