import { createHmac } from "node:crypto"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, expect, it } from "vitest"
import { soon } from "../support/soon"
import { CALL, serveProvider } from "./served-provider"

const SECRET = "a secret of the receiver"
const folder = mkdtempSync(join(tmpdir(), "p2-alerts-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

it("reports each threshold of a window once over all instances, signed, to every webhook", async () => {
  const received: { path: string; body: string; signature: string }[] = []
  const receiver = createServer((request, response) => {
    let body = ""
    request.setEncoding("utf8").on("data", (text: string) => {
      body += text
    })
    request.on("end", () => {
      received.push({ path: request.url!, body, signature: String(request.headers["p2-signature"]) })
      response.writeHead(204).end()
    })
  })
  await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve))
  const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`
  const address = `file:${join(folder, "p2.db")}`
  const changes = {
    limits: [{ scope: "user", limit: "0.001", per: "month", alertAt: [0.5, 0.9] }],
    alerts: [
      { url: `${url}/one`, secretFrom: "SECRET" },
      { urlFrom: "HOOK", secretFrom: "SECRET" },
    ],
  }
  const env = { SECRET, HOOK: `${url}/two` }
  const instances = [await serveProvider(address, changes, env), await serveProvider(address, changes, env)]
  try {
    const { key } = await instances[0]!.addKey({ userId: "ada" })
    for (const instance of instances) instance.provider.faults.always({ fillOutput: true })
    // Until the limit is used up, by both at the same time.
    const body = { ...CALL, max_tokens: 100 }
    for (let denied = 0; denied < 2; ) {
      const answers = await Promise.all(instances.map((instance) => instance.call(key, { body })))
      denied += answers.filter(({ status }) => status === 402).length
    }
    await soon(() => received).toHaveLength(4)
  } finally {
    for (const instance of instances) await instance.close()
    await new Promise((resolve) => receiver.close(resolve))
  }
  const events = received.map(({ path, body }) => ({
    path,
    ...(JSON.parse(body) as { threshold: number; value: string }),
  }))
  expect(events.map(({ path, threshold, value }) => `${path} ${threshold} ${value}`).sort()).toEqual([
    "/one 0.5 ada",
    "/one 0.9 ada",
    "/two 0.5 ada",
    "/two 0.9 ada",
  ])
  for (const { body, signature } of received) {
    const [, seconds, digest] = /^t=(\d+),v1=(.+)$/.exec(signature)!
    expect(digest).toBe(createHmac("sha256", SECRET).update(`${seconds}.${body}`).digest("hex"))
  }
  const logs = instances.flatMap(({ lines }) => lines).join("")
  expect(logs.match(/"event":"alert"/g)).toHaveLength(2)
  for (const secret of [SECRET, "/two"]) expect(logs).not.toContain(secret)
})
