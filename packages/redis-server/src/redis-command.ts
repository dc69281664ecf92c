import { connect } from "node:net"

export type RedisReply = string | number | null | RedisReply[]

/**
 * Sends one command on a separate connection and resolves to the reply, so that nothing here needs a Redis client.
 * Rejects on an error reply, a refused connection, and after `timeoutMs`.
 */
export function redisCommand(
  at: { host: string; port: number; timeoutMs?: number | undefined },
  ...command: (string | number)[]
): Promise<RedisReply> {
  return new Promise((resolve, reject) => {
    const socket = connect(at.port, at.host)
    let received = Buffer.alloc(0)
    const end = (finish: () => void) => {
      socket.destroy()
      finish()
    }
    socket.setTimeout(at.timeoutMs ?? 2_000, () =>
      end(() => reject(new Error(`Redis on port ${at.port} did not answer ${command[0]} in time.`))),
    )
    socket.on("error", (error) => end(() => reject(error)))
    socket.on("close", () => reject(new Error(`Redis on port ${at.port} closed the connection before its answer.`)))
    socket.on("data", (chunk) => {
      received = Buffer.concat([received, chunk])
      const parsed = parseReply(received, 0)
      if (parsed === undefined) return
      const { value } = parsed
      if (value instanceof Error) end(() => reject(value))
      else end(() => resolve(value))
    })
    const parts = command.map(String)
    socket.write(`*${parts.length}\r\n${parts.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`).join("")}`)
  })
}

/** Undefined while the reply is incomplete. */
function parseReply(bytes: Buffer, start: number): { value: RedisReply | Error; next: number } | undefined {
  const lineEnd = bytes.indexOf("\r\n", start)
  if (lineEnd === -1) return undefined
  const kind = String.fromCharCode(bytes[start]!)
  const line = bytes.toString("utf8", start + 1, lineEnd)
  const next = lineEnd + 2
  if (kind === "+") return { value: line, next }
  if (kind === "-") return { value: new Error(line), next }
  if (kind === ":") return { value: Number(line), next }
  const length = Number(line)
  if (length === -1) return { value: null, next }
  if (kind === "$") {
    if (bytes.length < next + length + 2) return undefined
    return { value: bytes.toString("utf8", next, next + length), next: next + length + 2 }
  }
  const items: RedisReply[] = []
  let at = next
  for (let index = 0; index < length; index++) {
    const item = parseReply(bytes, at)
    if (item === undefined) return undefined
    items.push(item.value instanceof Error ? item.value.message : item.value)
    at = item.next
  }
  return { value: items, next: at }
}
