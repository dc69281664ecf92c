// Converts decimal strings to integers, without floats in between.

const DECIMAL = /^(-?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/

/**
 * Digits and exponent of a decimal, rounded half up to 12 significant digits, which removes the sources' float noise.
 */
function cleaned(text) {
  const match = DECIMAL.exec(text)
  if (match === null) throw new Error(`Expected a decimal number, got ${JSON.stringify(text)}.`)
  const [, sign, whole, fraction = "", exponent = "0"] = match
  let digits = BigInt(`${whole}${fraction}` || "0")
  let shift = Number(exponent) - fraction.length
  const extra = String(digits).length - 12
  if (extra > 0) {
    const unit = 10n ** BigInt(extra)
    digits = (digits + unit / 2n) / unit
    shift += extra
  }
  return { negative: sign === "-" && digits > 0n, digits, shift }
}

/**
 * A decimal times 10^places as an integer, rounded up: 6 places from USD per million tokens to pico-USD per token, 9 from USD per
 * thousand to pico-USD per piece. Undefined for a negative number, which sources write for prices that are not fixed.
 */
export function scaledUp(text, places) {
  const { negative, digits, shift } = cleaned(text)
  if (negative) return undefined
  const by = shift + places
  const scaled = by >= 0 ? digits * 10n ** BigInt(by) : (digits + 10n ** BigInt(-by) - 1n) / 10n ** BigInt(-by)
  if (scaled > BigInt(Number.MAX_SAFE_INTEGER)) throw new Error(`${text} is not a price: it exceeds 2^53 − 1 pico-USD.`)
  return Number(scaled)
}

/** An integer divided by 10^places as a decimal string, without a leading zero: 150000 at 6 places is ".15". */
export function decimalText(integer, places) {
  const digits = String(integer).padStart(places + 1, "0")
  const fraction = digits.slice(-places).replace(/0+$/, "")
  const whole = digits.slice(0, -places).replace(/^0+/, "")
  return fraction === "" ? whole || "0" : `${whole}.${fraction}`
}

/** Parses JSON with every number as { n: string }, so that no digit is lost. */
export function parseJsonNumbersAsText(json) {
  const marked = json.replace(/"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g, (token) =>
    token[0] === '"' ? token : `{"n":"${token}"}`,
  )
  return JSON.parse(marked)
}
