// Bytes and their exact spellings: hex, base64 and decimals each in one form only, as ledger/tlog/encoding.py has them.

import { formatError, newerError } from "./errors.js";

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const DECIMAL = /^(?:0|[1-9][0-9]{0,18})$/;

/** Return bytes as lower-case hex. */
export const toHex = (bytes) => Array.from(bytes, (byte) => HEX[byte]).join("");

/** Return the bytes of lower-case hex that has been accepted before. */
export const fromHex = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));

/** Whether `value` is `count` lower-case hex digits. */
export const isHex = (value, count = 64) => typeof value === "string" && value.length === count && /^[0-9a-f]*$/.test(value);

/** Return one array of all `parts`. */
export function concat(...parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Whether two arrays hold the same bytes. */
export function sameBytes(one, other) {
  if (one.length !== other.length) return false;
  for (let at = 0; at < one.length; at++) if (one[at] !== other[at]) return false;
  return true;
}

/** Return `text` as UTF-8. */
export const utf8 = (text) => new TextEncoder().encode(text);

/** Return the text of UTF-8, byte order marks kept; refuse anything else. */
export function fromUtf8(bytes, code = "format") {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw formatError("not UTF-8", code);
  }
}

/** Return the text of ASCII bytes; refuse anything else. */
export function fromAscii(bytes, code = "format") {
  if (bytes.some((byte) => byte > 0x7f)) throw formatError("not ASCII", code);
  return new TextDecoder().decode(bytes);
}

/** Return the bytes of standard, padded base64 without spare bits; refuse any other spelling. */
export function parseBase64(text) {
  if (!BASE64.test(text)) throw formatError(`${shorten(text)} is not base64`, "bad-base64");
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  if (formatBase64(bytes) !== text) throw formatError(`${shorten(text)} is not the one base64 of its bytes`, "bad-base64");
  return bytes;
}

/** Return standard, padded base64. */
export function formatBase64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x2000) text += String.fromCharCode(...bytes.subarray(at, at + 0x2000));
  return btoa(text);
}

/** Return the number that ASCII digits without leading zeros spell. Above 2^53-1 this page cannot count. */
export function parseDecimal(text) {
  const isDecimal = DECIMAL.test(text) && BigInt(text) < 2n ** 63n;
  if (!isDecimal) throw formatError(`${shorten(text)} is not a decimal number`, "bad-decimal");
  const number = Number(text);
  if (!Number.isSafeInteger(number)) throw newerError(`${text} is more than a browser counts exactly`);
  return number;
}

/** Split `bytes` at each newline, as Python's bytes.split does. */
export function splitLines(bytes) {
  const lines = [];
  let start = 0;
  for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
    lines.push(bytes.subarray(start, end));
    start = end + 1;
  }
  lines.push(bytes.subarray(start));
  return lines;
}

/** Split text at the first `mark`: what is before it, whether it was there, what is behind. */
export function partition(text, mark) {
  const at = text.indexOf(mark);
  return at < 0 ? [text, false, ""] : [text.slice(0, at), true, text.slice(at + mark.length)];
}

const shorten = (text) => JSON.stringify(text.slice(0, 40));
