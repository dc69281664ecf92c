/** Options of the library for which the command line has no setting. */
const WITHOUT_SETTING =
  /`(unknownEndpoints|maxImageTokens|maxAudioSeconds|maxSpeechTokens|batchUpperBound)\b|createPriceTable/
/** The same as a remedy beside others, such as ", or pass `maxAudioSeconds` with …". */
const OTHER_REMEDY = new RegExp(`,? or (?:pass|add) [^.]*(?:${WITHOUT_SETTING.source})[^.]*`)

/** Rewrites a sentence of a message for a command. Returns other sentences unchanged. */
export type Hint = (sentence: string) => string

/** Says so where a message of the library names an option that no command has. */
export const withoutSetting: Hint = (sentence) => {
  const shorter = sentence.replace(OTHER_REMEDY, "")
  return WITHOUT_SETTING.test(shorter) ? "p2 has no setting that allows it." : shorter
}

/** The message of an error of the proxy, with the remedies of a command instead of those of the library. */
export function withHints(message: string, hints: readonly Hint[]): string {
  const sentences = message.split(/(?<=\.) (?=[A-Z`])/)
  return sentences.map((sentence) => hints.reduce((text, hint) => hint(text), sentence)).join(" ")
}

/** A response of the proxy itself with such a message, and the message. */
export async function responseWithHints(
  response: Response,
  hints: readonly Hint[],
): Promise<{ response: Response; message: string }> {
  const { status, headers } = response
  const text = await response.text()
  const body = readBody(text)
  if (body === undefined) return { response: new Response(text, { status, headers }), message: `status ${status}` }
  const message = withHints(body.error.message, hints)
  const rewritten =
    message === body.error.message ? text : JSON.stringify({ ...body, error: { ...body.error, message } })
  return { response: new Response(rewritten, { status, headers }), message }
}

/** The formats of all providers have the message at the same place. */
function readBody(text: string): { error: { message: string } } | undefined {
  try {
    const body = JSON.parse(text) as { error?: { message?: unknown } }
    return typeof body?.error?.message === "string" ? (body as { error: { message: string } }) : undefined
  } catch {
    return undefined
  }
}
