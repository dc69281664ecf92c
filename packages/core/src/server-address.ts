/**
 * Whether a string is a URL in which no password ends early: an unescaped `/`, `?` or `#` in one leaves the rest of it, with its
 * `@`, in the path. A driver would then connect to another host, and its errors would show a part of the password.
 */
export function isServerAddress(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { pathname, search, hash } = new URL(text)
  return !`${pathname}${search}${hash}`.includes("@")
}
