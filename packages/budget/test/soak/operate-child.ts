// A process of a soak test: operates on a Redis server, or on the store of its parent.
import { Redis } from "ioredis"
import { redisStore } from "../../src/redis"
import { connectStore } from "../../src/testing"
import { operate } from "./operate"

const { name, url } = JSON.parse(process.argv[2]!) as { name: string; url?: string }

async function main(): Promise<void> {
  const parent = { send: (message: object) => process.send!(message), on: process.on.bind(process), kill() {} }
  const store =
    url === undefined
      ? (await connectStore(parent)).store
      : redisStore({ client: new Redis(url, { lazyConnect: true }), timeoutMs: 10_000 })
  await operate(store, name, (report) => process.send!(report))
}

void main()
