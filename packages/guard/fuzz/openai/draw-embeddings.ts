import type { FuzzedProtocol } from "../fuzz-ledger"

/** Embeddings of strings and of token arrays. */
export const embeddings: FuzzedProtocol = {
  name: "openai-embeddings",
  draw: (draw, provider) => ({
    url: "https://api.openai.com/v1/embeddings",
    sentTo: `${provider.baseURL}/embeddings`,
    headers: {},
    body: {
      model: draw.pick(["text-embedding-3-small", "text-embedding-3-large", "text-embedding-ada-002"]),
      input: draw.pick([
        () => draw.text(40),
        () => draw.list(1, 20, () => draw.text()),
        () => draw.list(1, 500, () => draw.between(0, 100_000)),
        () => draw.list(1, 5, () => draw.list(1, 200, () => draw.between(0, 100_000))),
      ])(),
      ...draw.maybe(0.3, () => ({ encoding_format: draw.pick(["float", "base64"]) })),
      ...draw.maybe(0.3, () => ({ dimensions: 256, user: "u" })),
    },
    fault: draw.maybe(0.1, () => ({ noUsage: true })),
  }),
}
