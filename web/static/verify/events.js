// The events of the roster: their shapes, and what each needs of the roster before it; as ledger/records/events.py.
//
// A roster payload is {v, founding, n, prev_roster, events: [...]}. Payload 0 is the founding and has no founding of its own.

import { parseBase64, toHex } from "./bytes.js";
import { has, isObject } from "./canonical.js";
import { publicKey, publicKeyOfSpki } from "./envelope.js";
import { attemptSync, reason, verificationError } from "./errors.js";
import { KINDS } from "./kinds.js";
import { COSIGNATURE_MLDSA44, ED25519, parseVkey } from "./note.js";
import { isKnownPattern } from "./numbers.js";
import {
  choice, date, digest, either, identifier, integer, language, listing, mapping, nullable, pattern, personText, spki, text,
} from "./shapes.js";

export const ROSTER_TYPE = "application/vnd.bening.roster+json";
export const MAX_ROSTER = 32 * 1024;

const LINE = personText(300), KEYS = listing(spki, { least: 1, most: 16 }), VKEYS = listing(text(2400), { least: 2, most: 2 });
const FORMS = listing(identifier, { least: 1, most: 64 });
const AUTHORITY = { keys: KEYS, threshold: integer(1, 16) };
const event = (required, optional) => mapping({ event: text(32), ...required }, optional);

const EVENTS = new Map([
  ["founding", event({
    origin: pattern(/^(?=.{1,200}$)[a-z0-9.-]+(\/[a-z0-9._-]+)*$/, "bad-origin"), name: LINE,
    utc_offset: pattern(/^[+-](0[0-9]|1[0-4]):(00|15|30|45)$/, "bad-offset"), languages: listing(language, { least: 1, most: 8 }),
    authority: mapping(AUTHORITY), log: mapping({ vkeys: VKEYS }),
  })],
  ["office", event({ id: identifier, name: LINE }, { parent: nullable(identifier) })],
  ["form", event({ id: identifier, kind: choice(...KINDS), name: LINE }, { law: nullable(LINE) })],
  ["enrol", event({
    key: spki, holder: LINE, position: LINE, offices: listing(identifier, { least: 1, most: 256 }),
    kinds: listing(choice(...KINDS), { least: 1, most: KINDS.length }), from: date,
  }, { until: nullable(date) })],
  ["retire", event({ key: digest })],
  ["revoke", event({ key: digest, suspect_from: integer() }, { reason: LINE })],
  ["reaffirm", event({ acts: listing(digest, { least: 1, most: 256 }) })],
  ["rule", either(
    "kind",
    event({ kind: choice(...KINDS), signatures: integer(1, 16) }, { positions: listing(LINE, { most: 64 }) }),
    event({ office: identifier, over: identifier }),
  )],
  ["series", event({
    id: identifier, office: identifier, forms: FORMS, pattern: text(200), start: integer(), resets: choice("yearly", "never"),
    complete_from: date,
  })],
  ["duty", event({ office: identifier, forms: FORMS, from: date })],
  ["withdraw", event({ sha256: digest, law: LINE, reason: LINE })],
  ["authority", event(AUTHORITY)],
  ["log_key", event({ vkeys: VKEYS, from_size: integer(1), overlap_until_size: integer(1) })],
]);

/** Return every fault in the shape of a roster payload. */
export function checkPayload(data) {
  if (!isObject(data) || data.v !== 1) {
    const version = isObject(data) ? data.v : undefined;
    return [reason("bad-version", "v", { value: String(version ?? "None") }, Number.isInteger(version) && version > 1)];
  }
  const founding = data.n === 0 ? {} : { founding: digest };
  const whole = mapping({ v: integer(1, 1), n: integer(), prev_roster: digest, events: anyList, ...founding })(data, "");
  const events = Array.isArray(data.events) ? data.events : [];
  return [...whole, ...events.flatMap((one, at) => checkEvent(one, `events[${at}]`))];
}

function anyList(value, path) {
  if (!Array.isArray(value)) return [reason("not-a-list", path)];
  return value.length >= 1 && value.length <= 256 ? [] : [reason("bad-count", path, { count: value.length, low: 1, high: 256 })];
}

function checkEvent(value, path) {
  const name = isObject(value) ? value.event : undefined;
  if (EVENTS.has(name)) return EVENTS.get(name)(value, path);
  return [reason("unknown-event", path, { value: String(name ?? "None").slice(0, 40) }, typeof name === "string")];
}

/** Return the public key that an event states in base64 SPKI. */
export const keyOf = (base64) => publicKeyOfSpki(parseBase64(base64));

/** Return the keys, in base64 SPKI, whose holders must sign the event to show that they have them. */
export function newKeys(one) {
  if (one.event === "enrol") return [one.key];
  if (one.event === "founding") return one.authority.keys;
  return one.event === "authority" ? one.keys : [];
}

/** Return the log's Ed25519 key; the second must be an ML-DSA-44 key, both named as the origin. */
export function logKeyOf(vkeys, origin) {
  const [first, second] = vkeys.map(parseVkey);
  const isPair = first.algorithm === ED25519 && second.algorithm === COSIGNATURE_MLDSA44;
  if (!isPair || first.name !== origin || second.name !== origin) throw verificationError("not the log's two keys", "bad-vkeys");
  return first;
}

/** Return what speaks against a well-shaped event after `roster`; `index` null: its place is not known. */
export function judgeEvent(roster, one, index, path) {
  const keys = newKeys(one).flatMap((key) => judgeNewKey(roster, one.event, key, path));
  return [...keys, ...(JUDGES[one.event]?.(roster, one, index, path) ?? [])];
}

function judgeNewKey(roster, name, key, path) {
  const keyid = attemptSync(() => keyOf(key))?.keyid;
  if (!keyid) return [reason("bad-key", path)];
  const stays = name === "authority" && roster.authority.has(keyid);
  return roster.usedKeys.has(keyid) && !stays ? [reason("key-has-a-role", path, { keyid: keyid.slice(0, 16) })] : [];
}

function judgeOffice(roster, one, index, path) {
  const parent = one.parent ?? null;
  if (parent === null) return [];
  if (!roster.offices.has(parent)) return [reason("unknown-office", `${path}.parent`, { value: parent })];
  const isCircle = one.id === parent || lineOf(roster, parent).includes(one.id);
  return isCircle ? [reason("office-circle", `${path}.parent`, { value: parent })] : [];
}

/** Return `office` and those above it, the nearest first. */
export function lineOf(roster, office) {
  const line = [];
  for (let one = office; roster.offices.has(one) && !line.includes(one); one = roster.offices.get(one).parent) line.push(one);
  return line;
}

function judgeForm(roster, one, index, path) {
  const known = roster.forms.get(one.id);
  return known && known.kind !== one.kind ? [reason("form-changes-kind", path, { value: one.id })] : [];
}

function judgeEnrol(roster, one, index, path) {
  const isTwice = new Set(one.offices).size !== one.offices.length || new Set(one.kinds).size !== one.kinds.length;
  const until = one.until ?? null;
  return [
    ...knownOffices(roster, one.offices, path),
    ...(isTwice ? [reason("twice", path)] : []),
    ...(until !== null && until < one.from ? [reason("until-before-from", path)] : []),
  ];
}

function judgeKey(roster, one, index, path) {
  const enrolment = roster.enrolments.get(one.key);
  const keyid = one.key.slice(0, 16);
  const isEnded = enrolment && one.event === "retire" && (enrolment.retiredAt !== null || enrolment.revokedAt !== null);
  const isAhead = one.event === "revoke" && index !== null && one.suspect_from > index;
  return [
    ...(enrolment ? [] : [reason("key-not-enrolled", path, { keyid })]),
    ...(isEnded ? [reason("key-not-active", path, { keyid })] : []),
    ...(isAhead ? [reason("suspect-from-ahead", path, { value: one.suspect_from, limit: index })] : []),
  ];
}

const judgeRule = (roster, one, index, path) =>
  knownOffices(roster, ["office", "over"].filter((key) => has(one, key)).map((key) => one[key]), path);

function judgeSeries(roster, one, index, path) {
  return [
    ...(roster.series.has(one.id) ? [reason("series-exists", path, { value: one.id })] : []),
    ...(isKnownPattern(one.pattern) ? [] : [reason("bad-pattern", `${path}.pattern`, { value: one.pattern })]),
    ...judgeDuty(roster, one, index, path),
  ];
}

function judgeDuty(roster, one, index, path) {
  const unknown = one.forms.filter((form) => !roster.forms.has(form));
  return [...knownOffices(roster, [one.office], path), ...unknown.map((value) => reason("unknown-form", path, { value }))];
}

function judgeAuthority(roster, one, index, path) {
  const { keys, threshold } = one;
  return [
    ...(new Set(keys).size !== keys.length ? [reason("twice", path)] : []),
    ...(threshold > keys.length ? [reason("threshold-too-high", path, { threshold, count: keys.length })] : []),
  ];
}

function judgeFounding(roster, one, index, path) {
  const faults = judgeVkeys(roster, one.log.vkeys, one.origin, path);
  const logKey = faults.length ? null : logKeyOf(one.log.vkeys, one.origin).key;
  const isShared = logKey !== null && one.authority.keys.some((key) => toHex(parseBase64(key).slice(-32)) === toHex(logKey));
  const shared = isShared ? [reason("key-has-a-role", path, { keyid: publicKey(logKey).keyid.slice(0, 16) })] : [];
  return [...judgeAuthority(roster, one.authority, index, path), ...faults, ...shared];
}

function judgeLogKey(roster, one, index, path) {
  const least = Math.max(roster.logKeys.at(-1).fromSize, index ?? -1);
  const isOrdered = least < one.from_size && one.from_size <= one.overlap_until_size;
  return [
    ...judgeVkeys(roster, one.vkeys, roster.origin, path),
    ...(isOrdered ? [] : [reason("bad-overlap", path, { index: index ?? "?" })]),
  ];
}

function judgeVkeys(roster, vkeys, origin, path) {
  const key = attemptSync(() => logKeyOf(vkeys, origin));
  if (!key) return [reason("bad-vkeys", path, { origin })];
  const { keyid } = publicKey(key.key);
  return roster.usedKeys.has(keyid) ? [reason("key-has-a-role", path, { keyid: keyid.slice(0, 16) })] : [];
}

const knownOffices = (roster, offices, path) =>
  offices.filter((office) => !roster.offices.has(office)).map((value) => reason("unknown-office", path, { value }));

const JUDGES = {
  founding: judgeFounding, office: judgeOffice, form: judgeForm, enrol: judgeEnrol, retire: judgeKey, revoke: judgeKey,
  rule: judgeRule, series: judgeSeries, duty: judgeDuty, authority: judgeAuthority, log_key: judgeLogKey,
};
