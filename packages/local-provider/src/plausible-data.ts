import type { Random } from "./random"

const WORDS: Record<string, readonly string[]> = {
  interest: [
    "reading",
    "writing",
    "long walks",
    "theatre",
    "history",
    "travel",
    "stage magic",
    "chess",
    "gardening",
    "music",
  ],
  hobby: ["reading", "chess", "gardening", "music", "painting"],
  skill: ["patience", "storytelling", "planning", "languages", "negotiation"],
  tag: ["classic", "novel", "biography", "victorian", "fiction"],
  city: ["London", "Paris", "Lisbon", "Vienna", "Prague"],
  country: ["England", "France", "Portugal", "Austria", "Czechia"],
  language: ["English", "French", "Portuguese", "German"],
  occupation: ["writer", "engineer", "teacher", "illusionist", "physician"],
  job: ["writer", "engineer", "teacher", "illusionist", "physician"],
  color: ["blue", "green", "amber", "crimson"],
  currency: ["USD", "EUR", "GBP"],
  sentiment: ["positive", "neutral", "negative"],
  step: ["Gather what is known.", "Compare the sources.", "Write down the result.", "Check it once more."],
}

const SENTENCES = [
  "is remembered for persistence in the face of early hardship.",
  "grew from modest beginnings to wide renown.",
  "is often described as observant, generous and a little proud.",
  "left a mark on everyone who followed the story.",
  "found in friends what the family could not give.",
  "worked steadily and learned from each mistake.",
  "kept an eye for detail that others envied.",
]

/** A plausible value for a property of this name. */
export function plausibleString(name: string, context: { random: Random; subject: string }): string {
  const { random, subject } = context
  const key = name.toLowerCase().replace(/[^a-z]/g, "")
  const words = WORDS[key]
  if (words !== undefined) return random.pick(words)
  if (/(^|full|first|last|user)name$|^person$|^author$|^subject$/.test(key)) return subject
  if (key.includes("email")) return `${subject.toLowerCase().replace(/[^a-z]+/g, ".")}@example.org`
  if (/url|link|website/.test(key)) return `https://example.org/${subject.toLowerCase().replace(/[^a-z]+/g, "-")}`
  if (key.includes("phone")) return "+44 20 7946 0000"
  if (key.includes("title")) return `The story of ${subject}`
  if (key.includes("date")) return `19${random.between(10, 99)}-0${random.between(1, 9)}-1${random.below(10)}`
  if (key === "id") return `id-${random.between(1000, 9999)}`
  return `${subject} ${random.pick(SENTENCES)}`
}

/** A few paragraphs about the subject, for calls without an answer format. */
export function plausibleText(context: { random: Random; subject: string }): string {
  const sentences = Array.from({ length: 8 }, (_, index) => {
    const who = index % 2 === 0 ? context.subject : "This person"
    return `${who} ${context.random.pick(SENTENCES)}`
  })
  return sentences.join(" ")
}

/** The subject of a prompt: its last run of capitalized words, else its last word. */
export function subjectOf(prompt: string): string {
  const names = prompt.match(/\p{Lu}\p{L}+(?:\s+\p{Lu}\p{L}+)+/gu)
  if (names !== null) return names[names.length - 1]!.replace(/\s+/g, " ").slice(0, 80)
  const words = prompt.match(/\p{L}{3,}/gu)
  return words === null ? "Somebody" : words[words.length - 1]!.slice(0, 40)
}
