// Serves a Redis store to the process that forked this one.
import { Cluster, Redis } from "ioredis"
import { redisStore } from "../../src/redis"
import { serveStore } from "../../src/testing"

const { urls, prefix } = JSON.parse(process.argv[2]!) as { urls: string[]; prefix: string }
const client = urls.length === 1 ? new Redis(urls[0]!, { lazyConnect: true }) : new Cluster(urls, { lazyConnect: true })
// Four processes share two cores in the tests, so a reply may take long.
serveStore(redisStore({ client, prefix, timeoutMs: 10_000 }), process)
