import type { ServerResponse } from "node:http"
import type { Fault } from "./faults"

/** Resolves when the connection of a response is closed. */
export function closed(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    if (response.destroyed) resolve()
    else response.once("close", resolve)
  })
}

/** Resolves when everything that was written has been handed to the socket. */
export function untilFlushed(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => response.write("", () => resolve()))
}

/** Waits this long, or until the connection is closed. */
export function wait(response: ServerResponse, ms: number): Promise<void> {
  if (ms <= 0) return Promise.resolve()
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer)
      response.off("close", end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    response.once("close", end)
  })
}

/** Waits as long as the server and the fault delay an answer, or until the connection is closed. */
export async function delayAnswer(
  response: ServerResponse,
  { delayMs = 0, until }: Fault,
  { latencyMs = 0 }: { latencyMs?: number | undefined },
): Promise<void> {
  await wait(response, delayMs + latencyMs)
  if (until !== undefined) await Promise.race([until, closed(response)])
}
