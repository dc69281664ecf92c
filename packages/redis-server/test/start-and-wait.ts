// Starts a server, prints its process id and folder, and waits to be killed.
import { startRedis } from "../src/index"

const server = await startRedis()
console.log(JSON.stringify({ pid: server.pid, dir: server.dir }))
setInterval(() => {}, 1_000)
