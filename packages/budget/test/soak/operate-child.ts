// A process of a soak test: operates on Redis, or on the store of its parent.
import { redisStore } from "../../src/redis"
import { connectStore } from "../../src/testing"
import { connect } from "../redis/connect"
import { operate } from "./operate"

const { name, urls } = JSON.parse(process.argv[2]!) as { name: string; urls?: string[] }

async function main(): Promise<void> {
  const parent = { send: (message: object) => process.send!(message), on: process.on.bind(process), kill() {} }
  const store =
    urls === undefined ? (await connectStore(parent)).store : redisStore({ client: connect(urls), timeoutMs: 10_000 })
  await operate(store, name, (report) => process.send!(report))
}

void main()
