// Serves a Redis store to the process that forked this one.
import { redisStore } from "../../src/redis"
import { serveStore } from "../../src/testing"
import { connect } from "./connect"

const { urls, prefix } = JSON.parse(process.argv[2]!) as { urls: string[]; prefix: string }
// Four processes share two cores in the tests, so a reply may take long.
serveStore(redisStore({ client: connect(urls), prefix, timeoutMs: 10_000 }), process)
