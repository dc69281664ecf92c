/** What the sentences of messages recommend that only the developer of a guard or the owner of a budget can do. */
const REMEDIES = {
  budget: /\btop up or raise\b/,
  circuit: /`unbilledStatuses`/,
  prices: /\bcreatePriceTable\b/,
  unknownEndpoints: /`unknownEndpoints/,
  provider: /`provider`/,
  deployments: /`deployments/,
  maxToolCalls: /`maxToolCalls`/,
  maxImageTokens: /`maxImageTokens`/,
  maxAudioSeconds: /`maxAudioSeconds`/,
  maxSpeechTokens: /`maxSpeechTokens`/,
  batchUpperBound: /`batchUpperBound`/,
}

/**
 * What the callers of a proxy can do instead of what the developer of the guard can: a sentence each. Sentences of messages
 * without a hint here are left out.
 */
export type CallerHints = Partial<Record<keyof typeof REMEDIES, string | undefined>>

export const HINT_NAMES: ReadonlySet<string> = new Set(Object.keys(REMEDIES))

/** A message for callers who cannot change the options of the guard. */
export function messageForCallers(message: string, hints: CallerHints): string {
  const sentences = message.split(/(?<=[.?!]) (?=[A-Z])/).map((sentence) => {
    const remedy = Object.entries(REMEDIES).find(([, pattern]) => pattern.test(sentence))
    return remedy === undefined ? sentence : hints[remedy[0] as keyof CallerHints]
  })
  return sentences.filter((sentence) => sentence !== undefined).join(" ")
}
