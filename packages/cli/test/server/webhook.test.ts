import { createHmac, timingSafeEqual } from "node:crypto"
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { createBudget, memoryStore } from "@p2/budget"
import { afterEach, expect, it } from "vitest"
import { alertEvent } from "../../src/server/alerts/alert-event"
import { Webhook } from "../../src/server/alerts/webhook"

const SECRET = "a secret of the receiver"
const servers: Server[] = []

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
})

interface Received {
  headers: IncomingHttpHeaders
  body: string
}

/** A receiver. `answer` gets the number of earlier requests. */
async function receiver(answer: (response: ServerResponse, before: number) => void) {
  const received: Received[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      received.push({ headers: request.headers, body: Buffer.concat(chunks).toString() })
      answer(response, received.length - 1)
    })
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?token=hidden`, received }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5))
}

/** As a receiver would do it. */
function isSigned({ headers, body }: Received): boolean {
  const [, seconds, digest] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers["p2-signature"]))!
  const expected = createHmac("sha256", SECRET).update(`${seconds}.${body}`).digest()
  return timingSafeEqual(Buffer.from(digest!, "hex"), expected)
}

it("delivers an event, signed", async () => {
  const { url, received } = await receiver((response) => response.writeHead(204).end())
  const failures: string[] = []
  const webhook = new Webhook({ url, secret: SECRET, onFailure: (message) => failures.push(message) })
  webhook.send({ type: "budget.threshold", value: 'ada "the \u2028 first"' })
  expect(await webhook.close(60_000)).toBe(0)
  expect(received).toHaveLength(1)
  expect(isSigned(received[0]!)).toBe(true)
  expect(isSigned({ ...received[0]!, body: received[0]!.body.replace("ada", "bob") })).toBe(false)
  expect(JSON.parse(received[0]!.body)).toMatchObject({
    id: received[0]!.headers["p2-delivery"],
    value: 'ada "the \u2028 first"',
  })
  expect(failures).toEqual([])
})

it("retries what failed, with the same id, and sends others in the meantime", async () => {
  const { url, received } = await receiver((response, before) => {
    if (before === 0) response.destroy()
    else response.writeHead(before === 1 ? 500 : 200).end()
  })
  const failures: string[] = []
  const webhook = new Webhook({ url, secret: SECRET, retryMs: 1, onFailure: (message) => failures.push(message) })
  webhook.send({ number: 1 })
  webhook.send({ number: 2 })
  await until(() => received.length === 4)
  expect(await webhook.close(60_000)).toBe(0)
  const numbers = received.map(({ body }) => (JSON.parse(body) as { number: number }).number)
  expect([...numbers].sort()).toEqual([1, 1, 2, 2])
  expect(new Set(received.map(({ headers }) => headers["p2-delivery"])).size).toBe(2)
  expect(received.every(isSigned)).toBe(true)
  expect(failures).toHaveLength(2)
  expect(failures.join()).toContain("status 500")
  expect(failures.join()).not.toContain("hidden")
})

it("follows no redirect", async () => {
  const other = await receiver((response) => response.writeHead(200).end())
  const { url, received } = await receiver((response) => response.writeHead(307, { location: other.url }).end())
  const failures: string[] = []
  const webhook = new Webhook({ url, secret: SECRET, onFailure: (message) => failures.push(message) })
  webhook.send({})
  await until(() => failures.length >= 1)
  expect(failures[0]).toContain("status 307")
  expect(await webhook.close(60_000)).toBe(1)
  expect(other.received).toEqual([])
  expect(received.length).toBeGreaterThan(0)
})

it("gives up on a receiver that does not answer in time", async () => {
  const { url } = await receiver(() => {})
  const failures: string[] = []
  const webhook = new Webhook({ url, secret: SECRET, timeoutMs: 20, onFailure: (message) => failures.push(message) })
  webhook.send({})
  await until(() => failures.length >= 1)
  expect(failures[0]).toContain("timeout")
  expect(await webhook.close(60_000)).toBe(1)
})

it("keeps at most a thousand alerts", async () => {
  const { url } = await receiver(() => {})
  const failures: string[] = []
  const webhook = new Webhook({ url, secret: SECRET, onFailure: (message) => failures.push(message) })
  for (let count = 0; count < 1_003; count++) webhook.send({ count })
  expect(failures).toHaveLength(3)
  expect(await webhook.close(0)).toBe(1_000)
})

it.each(["http://example.com/hook", "ftp://127.0.0.1/", "https://ada:pass@example.com/", "hook"])(
  "rejects %s without showing it",
  (url) => {
    const make = () => new Webhook({ url, secret: SECRET, onFailure: () => {} })
    expect(make).toThrow("expected an https URL")
    expect(make).not.toThrow("pass")
  },
)

it("describes a threshold of the budget", async () => {
  const events: Record<string, unknown>[] = []
  const budget = createBudget({
    store: memoryStore({ now: () => Date.UTC(2026, 10, 30, 12) }),
    limits: [{ scope: "user", limit: 1, per: "day", alertAt: [0.5] }],
    onAlert: (alert) => events.push(alertEvent(alert, 0)),
  })
  await budget.run({ subject: { userId: "ada" }, amount: "0.60" }, async () => ({ value: null, cost: "0.60" }))
  expect(events).toEqual([
    {
      type: "budget.threshold",
      createdAt: "1970-01-01T00:00:00.000Z",
      ...{ scope: "user", value: "ada", window: "day", timeZone: "UTC", unit: "usd", threshold: 0.5 },
      ...{ limit: 1, granted: 0, spent: 0.6, reserved: 0, remaining: 0.4, partition: "main" },
      ...{ limitNanoUsd: 1e9, grantedNanoUsd: 0, spentNanoUsd: 6e8, reservedNanoUsd: 0, remainingNanoUsd: 4e8 },
      startsAt: "2026-11-30T00:00:00.000Z",
      resetsAt: "2026-12-01T00:00:00.000Z",
    },
  ])
  await budget.close()
})
