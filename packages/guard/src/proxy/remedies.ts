/**
 * Sentences in messages that recommend a change of the budget, or of an option of the guard. A sentence that only names a
 * field of the body, such as OpenRouter's `provider`, states a fact.
 */
const REMEDIES = {
  budget: /\btop up or raise\b/,
  circuit: /`unbilledStatuses`/,
  prices: /\bcreatePriceTable\b/,
  unknownEndpoints: /\bpass `unknownEndpoints/i,
  provider: /\bpass `provider`/i,
  deployments: /\bpass the model behind it, such as `deployments/i,
  maxToolCalls: /\bpass `maxToolCalls`/i,
  maxImageTokens: /\bpass `maxImageTokens`/i,
  maxAudioSeconds: /\bpass `maxAudioSeconds`/i,
  maxSpeechTokens: /\bpass `maxSpeechTokens`/i,
  batchUpperBound: /\bpass `batchUpperBound`/i,
}

export type RemedyName = keyof typeof REMEDIES

export const REMEDY_NAMES = Object.keys(REMEDIES) as readonly RemedyName[]

/** Sentences to replace those of a remedy; undefined: they are left out. */
export type OtherRemedies = Partial<Record<RemedyName, string | undefined>>

/** Replaces the remedies in a message. */
export function withRemedies(message: string, others: OtherRemedies): string {
  const sentences = message.split(/(?<=[.?!]) (?=[A-Z])/).map((sentence) => {
    const name = REMEDY_NAMES.find((each) => REMEDIES[each].test(sentence))
    return name !== undefined && name in others ? others[name] : sentence
  })
  return sentences.filter((sentence) => sentence !== undefined).join(" ")
}
