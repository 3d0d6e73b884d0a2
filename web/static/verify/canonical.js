// Canonical JSON (RFC 8785) and nothing that two readers could take in two ways; as ledger/records/canonical.py.
//
//   {"kind":"decision","title":"Penetapan ...","v":1}
//
// Accepted is only what parses and writes again to the same bytes, with short ASCII keys, no floats, integers 0 ... 2^53-1,
// at most 16 levels, and strings in NFC of visible text that Unicode 14 assigns.

import { fromUtf8, sameBytes, utf8 } from "./bytes.js";
import { formatError } from "./errors.js";
import { permittedRanges } from "./unicode14.js";

const MAX_DEPTH = 16;
const KEY = /^[A-Za-z0-9_.:-]{1,64}$/;
let forbidden = null;

/** Whether `value` is a JSON object. */
export const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** Whether the object `value` has its own `key`; inherited names (constructor, __proto__) are nobody's data. */
export const has = (value, key) => Object.hasOwn(value, key);

/** Whether `value` is an object with exactly `keys`. */
export const hasExactly = (value, keys) =>
  isObject(value) && Object.keys(value).length === keys.length && keys.every((key) => has(value, key));

/** Return the value of canonical JSON of at most `limit` bytes. */
export function parseCanonical(data, limit) {
  const size = data.length;
  if (size > limit) throw formatError(`${size} bytes, the limit is ${limit}`, "too-long", { size, limit });
  let value;
  try {
    value = JSON.parse(fromUtf8(data, "not-json"));
  } catch (error) {
    throw formatError(`not JSON: ${error.message}`, "not-json");
  }
  const isCanonical = sameBytes(dumpCanonical(value), data);
  if (!isCanonical) throw formatError("not the canonical form (RFC 8785) of its content", "not-canonical");
  return value;
}

/** Return the canonical bytes of `value`. */
export const dumpCanonical = (value) => utf8(write(value, 1));

/** Accept text that is in NFC and holds only visible text assigned in Unicode 14. */
export function checkText(text) {
  forbidden ??= forbiddenPoints();
  const found = forbidden.exec(text);
  if (found) {
    const point = `U+${found[0].codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
    throw formatError(`text holds ${point}, which is not visible text of Unicode 14`, "bad-character", { point });
  }
  if (text.normalize("NFC") !== text) throw formatError("text is not in NFC", "not-nfc", { text: text.slice(0, 80) });
}

function forbiddenPoints() {
  const point = (value) => `\\u{${value.toString(16)}}`;
  return new RegExp(`[^${permittedRanges().map(([start, end]) => `${point(start)}-${point(end)}`).join("")}]`, "u");
}

function write(value, depth) {
  if (depth > MAX_DEPTH) throw formatError(`nested deeper than ${MAX_DEPTH}`, "too-deep", { limit: MAX_DEPTH });
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "number") return writeNumber(value);
  if (typeof value === "string") {
    checkText(value);
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${value.map((part) => write(part, depth + 1)).join(",")}]`;
  const pairs = Object.keys(value).sort().map((key) => {
    if (!KEY.test(key)) throw formatError("a key is not short ASCII", "bad-key", { key: key.slice(0, 80) });
    return `"${key}":${write(value[key], depth + 1)}`;
  });
  return `{${pairs.join(",")}}`;
}

function writeNumber(value) {
  if (!Number.isInteger(value)) throw formatError(`${value}: numbers with a point are not allowed`, "float", { value });
  const isInRange = value >= 0 && value <= Number.MAX_SAFE_INTEGER;
  if (!isInRange) throw formatError(`integer ${value} is outside 0 … 2^53-1`, "bad-integer", { value });
  return String(value);
}
