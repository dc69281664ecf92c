import { DONE, eventText, startMockServer } from "@p2/local-provider"
import { openClient } from "./open-client"

/** The partial answers and the result of a stream of these pieces. */
export async function readPieces(pieces: readonly string[], request: object = {}) {
  await using server = await startMockServer()
  const delta = (content: string, finish: string | null = null) =>
    eventText({ choices: [{ index: 0, delta: { content }, finish_reason: finish }] })
  server.answer(({ response }) => {
    response.writeHead(200, { "content-type": "text/event-stream" })
    // Groups, because one write for each event would make the test slow.
    for (let at = 0; at < pieces.length; at += 100)
      response.write(
        pieces
          .slice(at, at + 100)
          .map((piece) => delta(piece))
          .join(""),
      )
    response.end(delta("", "stop") + DONE)
  })
  const client = openClient<unknown>(server, { maxTokens: 100, ...request } as object)
  const stream = client.stream()
  const partials: unknown[] = []
  for await (const partial of stream) partials.push(partial)
  return { partials, answer: (await stream.result).answer }
}
