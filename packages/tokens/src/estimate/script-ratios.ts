/**
 * Scripts by their first and last UTF-16 unit, with about how many o200k_base tokens a unit has, and how many tokens Claude
 * has for each of those. Measured with `node scripts/measure-estimates.mjs`; the rest is Latin, code and punctuation.
 */
const SCRIPTS: readonly (readonly [first: number, last: number, tokensPerUnit: number, ratio: number])[] = [
  [0x00c0, 0x02ff, 0.5, 3.5],
  [0x0370, 0x03ff, 0.35, 2.25],
  [0x0400, 0x052f, 0.25, 2.05],
  [0x0590, 0x05ff, 0.35, 2.1],
  [0x0600, 0x06ff, 0.3, 2.5],
  [0x0900, 0x097f, 0.3, 2.75],
  [0x0980, 0x0dff, 0.3, 3.7],
  [0x0e00, 0x0eff, 0.3, 3.15],
  [0x3040, 0x30ff, 0.5, 1.5],
  [0x3400, 0x9fff, 0.65, 1.25],
  [0xac00, 0xd7a3, 0.5, 1.85],
  // The first half of a surrogate pair; the second half counts as other.
  [0xd800, 0xdbff, 0.6, 1.18],
]

const OTHER = { tokensPerUnit: 0.22, ratio: 1.08 }

/** Returns the row of a UTF-16 unit, or −1 if no row contains it. */
function scriptOf(unit: number): number {
  return unit < 0xc0 ? -1 : SCRIPTS.findIndex(([first, last]) => unit >= first && unit <= last)
}

/** Returns how many tokens Claude has for one o200k_base token, by the first non-ASCII character from `from` to `to`. */
export function ratioOfToken(text: string, from: number, to: number): number {
  for (let index = from; index < to; index++) {
    const unit = text.charCodeAt(index)
    if (unit >= 0xc0) return SCRIPTS[scriptOf(unit)]?.[3] ?? OTHER.ratio
  }
  return OTHER.ratio
}

/** Computes how many tokens Claude has for one o200k_base token, by the scripts in the text. */
export class ScriptRatio {
  readonly #units = new Int32Array(SCRIPTS.length)
  #otherUnits = 0

  add(text: string): void {
    let previous = 0
    let script = -1
    for (let index = 0; index < text.length; index++) {
      const unit = text.charCodeAt(index)
      if (unit !== previous) script = scriptOf(unit)
      previous = unit
      if (script === -1) this.#otherUnits++
      else this.#units[script]!++
    }
  }

  /** 1 for empty text. */
  get ratio(): number {
    let tokens = this.#otherUnits * OTHER.tokensPerUnit
    let claudeTokens = tokens * OTHER.ratio
    SCRIPTS.forEach(([, , tokensPerUnit, ratio], index) => {
      tokens += this.#units[index]! * tokensPerUnit
      claudeTokens += this.#units[index]! * tokensPerUnit * ratio
    })
    return tokens === 0 ? 1 : claudeTokens / tokens
  }

  reset(): void {
    this.#units.fill(0)
    this.#otherUnits = 0
  }
}
