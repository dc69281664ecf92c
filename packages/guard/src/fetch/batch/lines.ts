/** The longest line of a batch file, in characters: an image as base64. */
const MAX_LINE = 64 * 1024 * 1024

/** The non-empty lines of a string. @throws RangeError if a line is too long */
export async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  const reader = stream.getReader()
  let rest = ""
  try {
    for (;;) {
      const { done, value } = await reader.read()
      const lines = (rest + (done ? decoder.decode() : decoder.decode(value, { stream: true }))).split("\n")
      rest = done ? "" : (lines.pop() ?? "")
      if (rest.length > MAX_LINE) throw new RangeError("A line is too long.")
      for (const line of lines) if (line.trim() !== "") yield line
      if (done) return
    }
  } finally {
    reader.cancel().catch(() => {})
  }
}
