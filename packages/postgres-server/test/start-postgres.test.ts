import { existsSync } from "node:fs"
import { connect } from "node:net"
import { startPostgres } from "@p2/postgres-server"
import { Client } from "pg"
import { expect, it } from "vitest"

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new Client(url)
  client.on("error", () => {})
  await client.connect()
  try {
    return (await client.query({ text: sql, rowMode: "array" })).rows.flat()
  } finally {
    await client.end()
  }
}

const isOpen = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy()
      resolve(true)
    })
    socket.on("error", () => resolve(false))
  })

it("starts with the settings, keeps what was committed over a kill and a restart, and leaves nothing behind", async () => {
  const server = await startPostgres({ settings: { max_connections: "17" } })
  try {
    const settings = "SELECT current_setting('max_connections'), current_setting('fsync')"
    expect(await query(server.url, settings)).toEqual(["17", "off"])
    await query(server.url, "CREATE TABLE t AS SELECT 5 AS n")
    const { pid, url } = server
    await server.kill()
    await expect(query(server.url, "SELECT 1")).rejects.toThrow()
    await server.restart({ max_connections: "19" })
    expect(server.pid).not.toBe(pid)
    expect(server.url).toBe(url)
    expect(await query(server.url, "SELECT n, current_setting('max_connections') FROM t")).toEqual([5, "19"])
  } finally {
    await server.stop()
  }
  await server.stop()
  expect(existsSync(server.dir)).toBe(false)
  expect(await isOpen(server.port)).toBe(false)
})

it("says why the server did not start", async () => {
  await expect(startPostgres({ settings: { no_such_setting: "1" } })).rejects.toThrow("no_such_setting")
})
