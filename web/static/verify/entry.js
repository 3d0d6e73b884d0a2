// The entry: a leaf of the tree and a link of the chain; as ledger/records/entry.py.
//
//   {"envelope":{...},"prev":"<hex>","roster":"<hex>","time":"2026-11-23T02:14:07Z","v":1}

import { isHex, utf8 } from "./bytes.js";
import { has, hasExactly, isObject, parseCanonical } from "./canonical.js";
import { envelopeOf } from "./envelope.js";
import { formatError, newerError } from "./errors.js";
import { sha256Hex } from "./sha256.js";
import { isTime } from "./shapes.js";

const MAX_ENTRY = 49_000;
const KEYS = ["envelope", "prev", "roster", "time", "v"];
export const NO_ROSTER = "0".repeat(64);

/** Return {envelope, prev, roster, time}. */
export function parseEntry(data) {
  const value = parseCanonical(data, MAX_ENTRY);
  if (!isObject(value) || !has(value, "v") || !Number.isInteger(value.v)) throw bad("not an entry");
  if (value.v !== 1) throw newerError(`an entry of version ${value.v}`, { version: value.v });
  if (!hasExactly(value, KEYS)) throw bad(`an entry has ${KEYS.join(", ")}`);
  if (!isHex(value.prev) || !isHex(value.roster)) throw bad("prev and roster are 64 hex digits");
  if (!isTime(value.time)) throw bad("time is not UTC seconds");
  return { envelope: envelopeOf(value.envelope), prev: value.prev, roster: value.roster, time: value.time };
}

/** Return `prev` of entry 0: SHA-256 of "bening/v1", the origin, and their newlines. */
export const firstPrev = (origin) => sha256Hex(utf8(`bening/v1\n${origin}\n`));

/** Return POSIX seconds as an entry's time. */
export const formatTime = (seconds) => new Date(seconds * 1000).toISOString().replace(/\.\d+Z$/, "Z");

/** Return the date of a UTC time where clocks differ by `offset` (+07:00). */
export function localDate(time, offset) {
  const minutes = (Number(offset.slice(1, 3)) * 60 + Number(offset.slice(4, 6))) * (offset[0] === "-" ? -1 : 1);
  return new Date(Date.parse(time) + minutes * 60_000).toISOString().slice(0, 10);
}

const bad = (detail) => formatError(detail, "bad-entry");
