// References: ten Crockford base32 symbols and a check symbol; as ledger/records/refs.py.
//
//   stored  19JVNJXPQJS      printed  19JV-NJXP-QJS      accepted from a person  19jv njxp qjs, with I L O read as 1 1 0

export const SYMBOLS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const READ_AS = { I: "1", L: "1", O: "0", "-": "", " ": "" };

/** Whether `text` is a reference exactly as stored, its check symbol included. */
export function isRef(text) {
  if (typeof text !== "string" || text.length !== 11 || [...text].some((symbol) => !SYMBOLS.includes(symbol))) return false;
  const value = [...text.slice(0, 10)].reduce((sum, symbol) => sum * 32 + SYMBOLS.indexOf(symbol), 0);
  return value % 37 === SYMBOLS.indexOf(text[10]);
}

/** Return the stored form of what a person typed or scanned, or null: its check symbol tells a mistyped one. */
export function parseRef(typed) {
  if (/[^\u0000-\u007f]/.test(typed)) return null;
  const ref = typed.toUpperCase().replace(/[ILO -]/g, (symbol) => READ_AS[symbol]);
  return isRef(ref) ? ref : null;
}

/** Return a reference in the groups in which it is printed. */
export const formatRef = (ref) => `${ref.slice(0, 4)}-${ref.slice(4, 8)}-${ref.slice(8)}`;
