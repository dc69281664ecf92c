import { InvalidArgumentError } from "../errors"
import { toYaml } from "./to-yaml"

/**
 * Writes `data` between the lines `[TAG]` and `[/TAG]`; an array becomes one block per item, `[TAG_1]`, `[TAG_2]`, ….
 * Objects become YAML. An end tag inside the data is escaped as `[\/TAG]`, so that no data can close its block.
 *
 * @throws InvalidArgumentError if the tag is not 1 to 64 letters, digits, `_` or `-`, beginning with a letter
 */
export function formatBlock(tag: string, data: unknown): string {
  if (typeof tag !== "string" || !/^[A-Za-z][A-Za-z0-9_-]{0,63}$/.test(tag))
    throw new InvalidArgumentError("tag", "1 to 64 letters, digits, _ or -, beginning with a letter", tag)
  if (!Array.isArray(data) || data.length === 0) return block(tag, tag, data)
  return data.map((item, index) => block(tag, `${tag}_${index + 1}`, item)).join("\n\n")
}

/** Patterns for invisible characters, and for these or white space. */
const INVISIBLE = "\\p{Cf}*"
const GAP = "[\\s\\p{Cf}]*"

function block(tag: string, name: string, data: unknown): string {
  const text = typeof data === "string" ? data : toYaml(data)
  // A model ignores white space, case and invisible characters in a tag; a number may follow.
  const spelled = [...tag].join(INVISIBLE)
  const end = new RegExp(`\\[(${GAP})/(?=${GAP}${spelled}(${INVISIBLE}_${INVISIBLE}\\d+)?${GAP}\\])`, "giu")
  return `[${name}]\n${text.replace(end, "[$1\\/")}\n[/${name}]`
}
