import { createReadStream } from "node:fs"
import { text as readText } from "node:stream/consumers"
import { InvalidArgumentError, P2Error } from "@p2/core"
import { countTokens, encode, estimateTokens, NoPublicTokenizerError } from "@p2/tokens"
import { print } from "../output/print"
import { formatCount } from "../output/table"

/** The tokens of a file. `tokens` is exact, or an estimate with an `upperBound`. */
type FileCount =
  | { status: "exact"; model: string; tokens: number }
  | { status: "estimate"; model: string; tokens: number; upperBound: number; basis: string }

/**
 * Prints the tokens of a file, or of standard input for `-`. @throws P2Error if it cannot be read or the model id is
 * invalid
 */
export async function countFile(file: string, { model, asJson }: { model: string; asJson: boolean }): Promise<void> {
  const count = countText(await readInput(file), model)
  print(describeCount(count), count, { asJson })
}

async function readInput(file: string): Promise<string> {
  try {
    return await readText(file === "-" ? process.stdin : createReadStream(file))
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === "ENOENT") throw new InvalidArgumentError("file", "a file", undefined, `There is no file ${file}.`)
    throw new P2Error(`${file} could not be read (${code}).`, { code: "file-not-read", kind: "failed", cause })
  }
}

function countText(text: string, model: string): FileCount {
  if (hasPublicTokenizer(model)) return { status: "exact", model, tokens: countTokens(text, { model }) }
  const { tokens, upperBound, basis } = estimateTokens(text, model)
  return { status: "estimate", model, tokens, upperBound, basis }
}

function hasPublicTokenizer(model: string): boolean {
  try {
    encode("", { model })
    return true
  } catch (error) {
    if (NoPublicTokenizerError.isInstance(error)) return false
    throw error
  }
}

function describeCount(count: FileCount): string {
  if (count.status === "exact") return `${formatCount(count.tokens)} tokens of ${count.model}, exactly`
  const { tokens, upperBound, model, basis } = count
  return `about ${formatCount(tokens)} tokens of ${model}, at most ${formatCount(upperBound)}\n${basis}`
}
