import type { Range, SectionName, Sections } from "../../../src/dashboard/view"

export interface SectionReader extends AsyncDisposable {
  /** The newest state of each section. */
  readonly sections: Partial<Sections>
  /** Everything that was received. */
  readonly raw: string
  readonly ended: Promise<void>
}

/** Reads the stream of a dashboard, as a page does. */
export async function readSections(url: string, cookie: string, range: Range = "1h"): Promise<SectionReader> {
  const controller = new AbortController()
  const response = await fetch(`${url}/dashboard/events?range=${range}`, {
    headers: { cookie },
    signal: controller.signal,
  })
  if (!response.ok) throw new Error(`Status ${response.status}`)
  const sections: Partial<Sections> = {}
  let raw = ""
  const read = async () => {
    const decoder = new TextDecoder()
    let rest = ""
    for await (const chunk of response.body!) {
      const text = decoder.decode(chunk as Uint8Array, { stream: true })
      raw += text
      const events = (rest + text).split("\n\n")
      rest = events.pop()!
      for (const event of events) {
        const [, name, data] = /^event: (\w+)\ndata: (.*)$/.exec(event) ?? []
        if (name !== undefined) sections[name as SectionName] = JSON.parse(data!)
      }
    }
  }
  const ended = read().catch(() => {})
  return {
    sections,
    get raw() {
      return raw
    },
    ended,
    async [Symbol.asyncDispose]() {
      controller.abort()
      await ended
    },
  }
}
