/** Seeded strings that are hard to split and to merge: every special case of tiktoken's patterns occurs often. */

/** A small, fast generator of 32-bit numbers (mulberry32). */
export function randomOf(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return (t ^ (t >>> 14)) >>> 0
  }
}

const RANGES = [
  [0x20, 0x7e],
  [0x61, 0x7a],
  [0x41, 0x5a],
  [0x00, 0x1f],
  [0x7f, 0xa0],
  [0xa0, 0xff],
  [0x100, 0x24f],
  [0x250, 0x36f],
  [0x370, 0x52f],
  [0x530, 0x6ff],
  [0x900, 0xdff],
  [0xe00, 0x10ff],
  [0x1100, 0x1cff],
  [0x1d00, 0x1fff],
  [0x2000, 0x206f],
  [0x2070, 0x2bff],
  [0x2c00, 0x2fff],
  [0x3000, 0x30ff],
  [0x4e00, 0x9fff],
  [0xa000, 0xabff],
  [0xac00, 0xd7a3],
  [0xd800, 0xdfff],
  [0xe000, 0xffff],
  [0x10000, 0x11fff],
  [0x12000, 0x1afff],
  [0x1b000, 0x1d7ff],
  [0x1d800, 0x1f2ff],
  [0x1f300, 0x1faff],
  [0x1fb00, 0x3ffff],
  [0xe0000, 0xe01ff],
  [0xf0000, 0x10ffff],
]

const BITS = [
  "'s",
  "'S",
  "'ſ",
  "'t",
  "'T",
  "'re",
  "'RE",
  "'rE",
  "'ve",
  "'Ve",
  "'m",
  "'M",
  "'ll",
  "'LL",
  "'lL",
  "'d",
  "'D",
  "'x",
  "'",
  "’s",
  "ſ",
  "K",
  " ",
  "  ",
  "   ",
  "        ",
  "\t",
  "\n",
  "\r",
  "\r\n",
  "\n\n",
  " \n",
  "\n ",
  "\t\n  ",
  "\u0085",
  "\u00a0",
  "\ufeff",
  "\u2028",
  "\u3000",
  "\u200b",
  "\u180e",
  "\u1680",
  "\u202f",
  "/",
  "//",
  "/\n",
  "!\r\n/",
  "...",
  "==",
  "-",
  "_",
  "____",
  '{"a":',
  "</div>",
  "*/",
  "```\n",
  "(",
  ");",
  "\n}\n",
  "<|endoftext|>",
  "<|fim_prefix|>",
  "<|endofprompt|>",
  "<|start|>",
  "<|im_start|>",
  "Hello",
  "world",
  " the",
  " of",
  "HTML",
  "camelCase",
  "XMLHttpRequest",
  "don",
  "I",
  "it",
  "WE",
  "naïve",
  "Straße",
  "ǅ",
  "ʰ",
  "ªº",
  "Ⅷ",
  "½",
  "²",
  "٣",
  "१२३४",
  "1",
  "12",
  "123",
  "1234567",
  "中文",
  "日本語のテキスト",
  "한국어",
  "русский",
  "ЖЗ",
  "العربية",
  "हिन्दी",
  "ไทย",
  "e\u0301",
  "\u0301",
  "\u0301\u0302",
  "ा",
  "😀",
  "👩‍👩‍👧",
  "🇫🇷",
  "❤️",
  "\ud800",
  "\udc00",
  "\ud83d",
  "\u0000",
  "\u{e0101}",
  "\u{1f9ff}",
  "\u{323af}",
  "\u{1fae9}",
  "\u{16ea0}",
  "Ა",
  "ა",
  "\ua7dc",
  "\ua7d2",
  "\u{105c0}",
]

/** One string of a random kind. */
export function fuzzString(random) {
  const kind = random() % 16
  if (kind === 0) return repeated(random)
  const length = 1 + (random() % (kind < 4 ? 40 : 12))
  const range = RANGES[random() % RANGES.length]
  let text = ""
  for (let index = 0; index < length; index++) {
    const choice = random() % 8
    if (kind < 3 || choice === 0) text += codePoint(random, RANGES[random() % RANGES.length])
    else if (kind < 6) text += codePoint(random, range)
    else if (kind === 6) text += String.fromCharCode(97 + (random() % 26))
    else if (kind === 7) text += String.fromCharCode((random() % 2 ? 65 : 97) + (random() % 26))
    else text += BITS[random() % BITS.length]
  }
  return text
}

function codePoint(random, [from, to]) {
  return String.fromCodePoint(from + (random() % (to - from + 1)))
}

/** Many repetitions of one string, which form one piece. */
function repeated(random) {
  const bit = random() % 2 ? BITS[random() % BITS.length] : codePoint(random, RANGES[random() % RANGES.length])
  const other = BITS[random() % BITS.length]
  return bit.repeat(1 + (random() % 90)) + other + bit.repeat(random() % 10)
}
