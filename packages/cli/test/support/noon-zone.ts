/** A time zone in which it is noon now, so that no day ends while a test runs. */
export function noonZone(): string {
  const offset = 12 - new Date().getUTCHours()
  // The sign of these names is that of POSIX: Etc/GMT-5 is five hours ahead of UTC.
  return `Etc/GMT${offset > 0 ? "-" : "+"}${Math.abs(offset)}`
}
