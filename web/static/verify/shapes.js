// Small shapes of which the tables of records and roster events are built; as ledger/records/shapes.py.
//
// A shape is a function from a JSON value and its path to the list of reasons against it: all faults, not the first only.

import { parseBase64 } from "./bytes.js";
import { has, isObject } from "./canonical.js";
import { attemptSync, reason } from "./errors.js";

const DATE = /^([12][0-9]{3})-([01][0-9])-([0-3][0-9])$/;
const TIME = /^([12][0-9]{3}-[01][0-9]-[0-3][0-9])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$/;
const SIXTEEN_DIGITS = /(?<!\p{Nd})\p{Nd}{16}(?!\p{Nd})/u;
const SPKI_ED25519 = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/** The number of code points, as Python counts. */
export const lengthOf = (text) => [...text].length;

/** A string of 1 ... `limit` characters without outer spaces. */
export const text = (limit = 500) => (value, path) => {
  if (typeof value !== "string") return [reason("not-text", path)];
  if (!value || value !== value.trim()) return [reason("empty-or-padded", path)];
  return lengthOf(value) > limit ? [reason("text-too-long", path, { length: lengthOf(value), limit })] : [];
};

/** Text that people read; a run of 16 digits, a citizen's number, is refused. */
export const personText = (limit = 500) => {
  const plain = text(limit);
  return (value, path) => {
    const isNumber = typeof value === "string" && SIXTEEN_DIGITS.test(value);
    return [...plain(value, path), ...(isNumber ? [reason("citizen-number", path)] : [])];
  };
};

/** A string that `expression` matches whole; `code` names the fault. */
export const pattern = (expression, code) => (value, path) =>
  typeof value === "string" && expression.test(value) ? [] : [reason(code, path, { value: shown(value) })];

/** One of `names`. Another string may be a later version's. */
export const choice = (...names) => (value, path) => {
  if (typeof value === "string" && names.includes(value)) return [];
  return [reason("not-a-choice", path, { value: shown(value), allowed: names.join(", ") }, typeof value === "string")];
};

/** An integer in low ... high. */
export const integer = (low = 0, high = Number.MAX_SAFE_INTEGER) => (value, path) =>
  Number.isInteger(value) && value >= low && value <= high
    ? [] : [reason("bad-number", path, { value: shown(value), low, high })];

/** A calendar date YYYY-MM-DD (1000 ... 2999). */
export const date = (value, path) =>
  typeof value === "string" && isDate(value) ? [] : [reason("bad-date", path, { value: shown(value) })];

/** Whether `value` is a UTC time YYYY-MM-DDTHH:MM:SSZ. */
export const isTime = (value) => typeof value === "string" && TIME.test(value) && isDate(value.slice(0, 10));

/** Whether `value` spells a date of the calendar. */
export const isDate = (value) => DATE.test(value) && toDays(value) !== null;

/** Return the days since 1970 of a date YYYY-MM-DD; null where the calendar has no such day. */
export function toDays(value) {
  const [year, month, day] = value.split("-").map(Number);
  const moment = new Date(Date.UTC(year, month - 1, day));
  return moment.getUTCMonth() === month - 1 && moment.getUTCDate() === day ? moment.getTime() / 86_400_000 : null;
}

/** Standard base64 of an Ed25519 public key as DER SubjectPublicKeyInfo (RFC 8410), 44 bytes. */
export const spki = (value, path) => {
  const der = typeof value === "string" ? attemptSync(() => parseBase64(value)) : null;
  const isEd25519 = der !== null && SPKI_ED25519.every((byte, at) => der[at] === byte);
  if (isEd25519 && der.length === 44) return [];
  return [reason("bad-key", path, {}, der !== null && der[0] === 0x30 && !isEd25519)];
};

/** A list of least ... most values of one shape. */
export const listing = (item, { least = 0, most = 64 } = {}) => (value, path) => {
  if (!Array.isArray(value)) return [reason("not-a-list", path)];
  const count = value.length;
  if (count < least || count > most) return [reason("bad-count", path, { count, low: least, high: most })];
  return value.flatMap((part, at) => item(part, `${path}[${at}]`));
};

/** An object with all `required` and any `optional` keys; an unknown key may be a later version's. */
export const mapping = (required, optional = {}) => {
  const known = new Map([...Object.entries(required), ...Object.entries(optional)]);
  return (value, path) => {
    if (!isObject(value)) return [reason("not-an-object", path)];
    const missing = Object.keys(required).filter((key) => !has(value, key)).map((key) => reason("missing", join(path, key)));
    const others = Object.keys(value).flatMap((key) =>
      known.has(key) ? known.get(key)(value[key], join(path, key)) : [reason("unknown-key", join(path, key), {}, true)]);
    return [...missing, ...others];
  };
};

/** One shape for objects that carry `key`, another for those that do not. */
export const either = (key, withKey, without) => (value, path) =>
  (isObject(value) && has(value, key) ? withKey : without)(value, path);

/** `shape` or null. */
export const nullable = (shape) => (value, path) => (value === null ? [] : shape(value, path));

/** Any object. */
export const anyObject = (value, path) => (isObject(value) ? [] : [reason("not-an-object", path)]);

export const digest = pattern(/^[0-9a-f]{64}$/, "bad-digest");
export const identifier = pattern(/^[a-z0-9][a-z0-9.-]{0,63}$/, "bad-identifier");
export const money = pattern(/^(0|[1-9][0-9]{0,17})(\.[0-9]{1,2})?$/, "bad-money");
export const currency = pattern(/^[A-Z]{3}$/, "bad-currency");
export const mediaType = pattern(/^[a-z0-9][a-z0-9.+-]{0,63}\/[a-z0-9][a-z0-9.+-]{0,126}$/, "bad-media-type");
export const language = pattern(/^[a-z]{2,3}$/, "bad-language");

const join = (path, key) => (path ? `${path}.${key}` : key);

function shown(value) {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`;
}
