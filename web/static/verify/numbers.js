// Numbers of papers: the folded form by which two spellings are one, and patterns of number books; as ledger/records/numbers.py.

import { utf8 } from "./bytes.js";
import { sha256Hex } from "./sha256.js";

// What Python takes for white space, which is not what JavaScript takes for it.
const SPACES = "\\t-\\r\\u001c-\\u0020\\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const SPACE = new RegExp(`[${SPACES}]+`, "g");
const PREFIX = new RegExp(`^(?:nomor|number|no)(?![\\p{L}\\p{N}_])[${SPACES}.:]*`, "u");
const DASHES = /[\u2010-\u2014\u2212]/g;
const TOKEN = /(\{serial\}|\{year\}|\{month\}|\*)/;

/** Return the form by which two spellings of one number are the same: "Nomor: 138 / 728 Tahun 2022" is 138/728tahun2022. */
export function foldNumber(number) {
  const folded = [...number.normalize("NFKC")].map(foldCase).join("").replace(DASHES, "-");
  return folded.replace(new RegExp(`^[${SPACES}]+`), "").replace(PREFIX, "").replace(SPACE, "");
}

/** Return the hex SHA-256 of the folded number: its name in the look-up buckets. */
export const numberHash = (number) => sha256Hex(utf8(foldNumber(number)));

/** Whether the pattern of a number book can be read: literal text, one {serial}, and {year}, {month}, at most two *. */
export function isKnownPattern(pattern) {
  const count = (part) => pattern.split(part).length - 1;
  if (count("*") > 2 || count("{serial}") !== 1 || count("{year}") > 1 || count("{month}") > 1) return false;
  return !/[{}]/.test(pattern.replace(/\{(serial|year|month)\}/g, ""));
}

/** Return the serial that `number` shows under the book's pattern, or null where it does not follow it. */
export function serialIn(number, pattern) {
  const parts = pattern.replace(SPACE, "").split(TOKEN).map(toExpression);
  const found = new RegExp(`^(?:${parts.join("")})$`, "su").exec(number.replace(SPACE, ""));
  return !found || found.groups.serial.length > 15 ? null : Number(found.groups.serial);
}

/** Unicode's full case folding of one code point (CaseFolding.txt, C and F), from the two mappings that JavaScript has. */
function foldCase(character) {
  const point = character.codePointAt(0);
  if (point === 0x131) return character; // dotless i folds to itself
  if ((point >= 0x13a0 && point <= 0x13fd) || (point >= 0xab70 && point <= 0xabbf)) return character.toUpperCase(); // Cherokee
  return character.toLowerCase().toUpperCase().toLowerCase();
}

/** A part of a pattern as a regular expression; only ASCII letters ignore their case. */
function toExpression(part) {
  const tokens = { "{serial}": "(?<serial>[0-9]+)", "{year}": "(?<year>[0-9]{4})", "{month}": "[IVXivx]+", "*": ".*?" };
  if (Object.hasOwn(tokens, part)) return tokens[part];
  const literal = part.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
  return literal.replace(/[A-Za-z]/g, (letter) => `[${letter.toUpperCase()}${letter.toLowerCase()}]`);
}
