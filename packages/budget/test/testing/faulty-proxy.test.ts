import { once } from "node:events"
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net"
import { afterEach, describe, expect, it } from "vitest"
import { createFaultyProxy, type FaultyProxy, type TcpAddress } from "../../src/testing"

const open: (Server | Socket | FaultyProxy)[] = []
afterEach(async () => {
  for (const one of open.splice(0)) {
    if ("destroy" in one) one.destroy()
    else await one.close()
  }
})

/** A server that replies to each line, and lists the received lines. */
async function startServer(): Promise<{ address: TcpAddress; lines: string[] }> {
  const lines: string[] = []
  const server = createServer((socket) => {
    socket.on("error", () => {})
    socket.on("data", (chunk) => {
      for (const line of chunk.toString().trim().split("\n")) {
        lines.push(line)
        socket.write(line.startsWith("unknown") ? "-NOSCRIPT\n" : `+${line}\n`)
      }
    })
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  open.push(server)
  return { address: { host: "127.0.0.1", port: (server.address() as AddressInfo).port }, lines }
}

async function startProxy(...targets: TcpAddress[]): Promise<FaultyProxy> {
  const proxy = await createFaultyProxy({
    targets,
    isCall: (sent) => /^(write|unknown)/m.test(Buffer.from(sent).toString()),
    isRejection: (received) => Buffer.from(received).toString().startsWith("-NOSCRIPT"),
  })
  open.unshift(proxy)
  return proxy
}

/** A connection that sends a line and resolves to the reply, or to "closed". */
function client(address: TcpAddress): (line: string) => Promise<string> {
  const socket = connect(address)
  open.unshift(socket)
  socket.on("error", () => {})
  return (line) =>
    new Promise((resolve) => {
      socket.once("data", (chunk) => resolve(chunk.toString().trim()))
      socket.once("close", () => resolve("closed"))
      if (socket.destroyed) resolve("closed")
      else socket.write(`${line}\n`)
    })
}

describe("a faulty proxy", () => {
  it("passes everything on while no fault is set", async () => {
    const { address, lines } = await startServer()
    const proxy = await startProxy(address)
    const send = client(proxy.addresses[0]!)
    expect([await send("write 1"), await send("read 2")]).toEqual(["+write 1", "+read 2"])
    expect(lines).toEqual(["write 1", "read 2"])
  })

  it("that is down breaks connections and accepts none, until it is up", async () => {
    const { address, lines } = await startServer()
    const proxy = await startProxy(address)
    const send = client(proxy.addresses[0]!)
    await send("write 1")
    await proxy.down()
    expect(await send("write 2")).toBe("closed")
    expect(await client(proxy.addresses[0]!)("write 3")).toBe("closed")
    proxy.up()
    expect(await client(proxy.addresses[0]!)("write 4")).toBe("+write 4")
    expect(lines).toEqual(["write 1", "write 4"])
  })

  it("loses the reply to the next call, which the server has applied, and no other reply", async () => {
    const { address, lines } = await startServer()
    const proxy = await startProxy(address)
    const send = client(proxy.addresses[0]!)
    proxy.loseAnswer()
    expect(await send("read 1")).toBe("+read 1")
    expect(await send("unknown 2")).toBe("-NOSCRIPT")
    expect(await send("write 3")).toBe("closed")
    expect(await client(proxy.addresses[0]!)("write 4")).toBe("+write 4")
    expect(lines).toEqual(["read 1", "unknown 2", "write 3", "write 4"])
  })

  it("connects to several servers, and loses one reply in total", async () => {
    const servers = [await startServer(), await startServer()]
    const proxy = await startProxy(...servers.map(({ address }) => address))
    const [first, second] = proxy.addresses.map(client)
    proxy.loseAnswer()
    expect(await first!("write 1")).toBe("closed")
    expect(await second!("write 2")).toBe("+write 2")
    await proxy.down()
    expect(await second!("write 3")).toBe("closed")
    expect(servers.map(({ lines }) => lines)).toEqual([["write 1"], ["write 2"]])
  })
})
