/** Sentences in messages that recommend a change of the budget, or of an option of the guard. */
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

export type RemedyName = keyof typeof REMEDIES

export const REMEDY_NAMES = Object.keys(REMEDIES) as readonly RemedyName[]

/** Sentences to replace those of a remedy; undefined: they are left out. */
export type OtherRemedies = Partial<Record<RemedyName, string | undefined>>

/** A message with other remedies. */
export function withRemedies(message: string, others: OtherRemedies): string {
  const sentences = message.split(/(?<=[.?!]) (?=[A-Z])/).map((sentence) => {
    const name = REMEDY_NAMES.find((each) => REMEDIES[each].test(sentence))
    return name !== undefined && name in others ? others[name] : sentence
  })
  return sentences.filter((sentence) => sentence !== undefined).join(" ")
}
