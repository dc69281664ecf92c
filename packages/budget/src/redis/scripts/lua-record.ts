/**
 * The record of an id: a letter of its state, the end of its lease as a double, the place of its entry (`lua-ledger.ts`), or
 * 12 NULs for none, and then
 *
 * `h` held: fingerprint, a line of cells and what is reserved in them, a line of their charges and lives, and the attempt
 *     that an expiry would write;
 * `c`, `f`, `x` committed, free (released), expired: revision and charges; fingerprint; cells and what was reserved in them;
 * `n` noted: nothing. There is an entry of the id, which `record` wrote, and nothing was reserved under it.
 */
export const LUA_NOWHERE = `local NOWHERE = '${"\\0".repeat(12)}'`

/** Whether `record`, a text, is that of an id that was only noted. */
export function luaIsNoted(record: string): string {
  return `(#${record} == 21 and string.byte(${record}) == 110)`
}
