// The roster: who may do what. A chain of signed payloads of its own, replayed from the founding; as ledger/records/roster.py.
//
// A roster is a value: applying a payload makes a new one. Every table is a Map, as an office may be called "constructor".

import { parseCanonical } from "./canonical.js";
import { NO_ROSTER } from "./entry.js";
import { checkSignature, publicKey } from "./envelope.js";
import { asLedgerError, newerError, reason, showReason, verificationError } from "./errors.js";
import { MAX_ROSTER, ROSTER_TYPE, checkPayload, judgeEvent, keyOf, logKeyOf, newKeys } from "./events.js";

const INDEX_UNKNOWN = 2 ** 53;

export const EMPTY_ROSTER = Object.freeze({
  n: -1, hash: NO_ROSTER, founding: "", origin: "", name: "", utcOffset: "+00:00", authority: new Map(), threshold: 0,
  logKeys: [], usedKeys: new Set(), offices: new Map(), forms: new Map(), enrolments: new Map(), rules: new Map(),
  competences: new Set(), series: new Map(), withdrawn: new Map(), reaffirmed: new Set(),
});

/** Return the log keys that sign a checkpoint of `size`: one set, or two while they overlap. */
export const logKeysAt = (roster, size) =>
  roster.logKeys.filter((keys) => keys.fromSize <= size && (keys.untilSize === null || size < keys.untilSize));

/** Return those `signers` of entry `index` whose key was revoked as untrustworthy from there on. */
export const suspectsOf = (roster, signers, index) =>
  signers.filter((keyid) => (roster.enrolments.get(keyid)?.suspectFrom ?? Infinity) <= index);

/** Return every reason against `envelope` as the next roster payload at entry `index` (null: its place is not known). */
export async function judgeRoster(roster, envelope, index) {
  let data;
  try {
    data = parseCanonical(envelope.payload, MAX_ROSTER);
  } catch (error) {
    return [reason(asLedgerError(error).code, "", error.values)];
  }
  const shape = checkPayload(data);
  const faults = shape.length ? shape : judgeChain(roster, data, index);
  if (faults.length) return faults;
  const reasons = [];
  let current = roster;
  data.events.forEach((event, at) => {
    const found = judgeEvent(current, event, index, `events[${at}]`);
    reasons.push(...found);
    if (!found.length) current = applyEvent(current, event, index ?? INDEX_UNKNOWN);
  });
  return reasons.length ? reasons : judgeSignatures(roster, envelope, data.events);
}

/** Return the roster after an `envelope` that `judgeRoster` has nothing against. */
export function applyRoster(roster, envelope, index) {
  const data = parseCanonical(envelope.payload, MAX_ROSTER);
  const after = data.events.reduce((current, event) => applyEvent(current, event, index), roster);
  return { ...after, n: data.n, hash: envelope.id, founding: roster.founding || envelope.id };
}

/** Return the roster after each of `envelopes` (roster.jsonl), the founding first; a broken chain is refused. */
export async function replayRoster(envelopes, founding) {
  if (!envelopes.length || envelopes[0].id !== founding) {
    throw verificationError("the roster does not begin with the pinned founding", "other-founding");
  }
  const rosters = [];
  let current = EMPTY_ROSTER;
  for (const [n, envelope] of envelopes.entries()) {
    const isRoster = envelope.payloadType === ROSTER_TYPE;
    if (!isRoster) throw verificationError(`roster line ${n} is no roster payload`, "roster-chain", { n });
    const reasons = await judgeRoster(current, envelope, n ? null : 0);
    const told = `roster payload ${n}: ${reasons.map(showReason).join("; ")}`;
    if (reasons.some((one) => one.unknown)) throw newerError(told);
    if (reasons.length) throw verificationError(told, "roster-chain", { n });
    current = applyRoster(current, envelope, n ? INDEX_UNKNOWN : 0);
    rosters.push(current);
  }
  return rosters;
}

function judgeChain(roster, data, index) {
  const founds = data.events.some((event) => event.event === "founding");
  const isAlone = data.events.length === 1 && founds && index === 0;
  const outOfTurn = (key, expected) => reason("roster-out-of-turn", key, { value: short(data[key]), expected: short(expected) });
  return [
    ...(data.n !== roster.n + 1 ? [outOfTurn("n", roster.n + 1)] : []),
    ...(data.prev_roster !== roster.hash ? [outOfTurn("prev_roster", roster.hash)] : []),
    ...((data.n === 0 && !isAlone) || (data.n > 0 && founds) ? [reason("bad-founding", "events")] : []),
    ...(data.n > 0 && data.founding !== roster.founding
      ? [reason("other-founding", "founding", { value: short(data.founding), expected: short(roster.founding) })] : []),
  ];
}

/** The authority's threshold, and every new key for itself; nobody else. */
async function judgeSignatures(roster, envelope, events) {
  const needed = new Map(events.flatMap(newKeys).map(keyOf).map((key) => [key.keyid, key]));
  const allowed = new Map([...roster.authority, ...needed]);
  const signed = new Set();
  const reasons = [];
  for (const signature of envelope.signatures) {
    const key = allowed.get(signature.keyid);
    const values = { keyid: short(signature.keyid) };
    if (!key) {
      reasons.push(reason("signer-is-not-authority", "signatures", values));
      continue;
    }
    if (!(await signatureHolds(envelope, signature, key))) reasons.push(reason("bad-signature", "signatures", values));
    signed.add(signature.keyid);
  }
  for (const keyid of needed.keys()) {
    if (!signed.has(keyid)) reasons.push(reason("no-proof-of-possession", "signatures", { keyid: short(keyid) }));
  }
  const count = [...signed].filter((keyid) => roster.authority.has(keyid)).length;
  const { threshold } = roster;
  if (count < threshold) reasons.push(reason("too-few-authority-signatures", "signatures", { count, threshold }));
  return reasons;
}

/** Whether `key` made the signature; that a browser cannot check it is no answer, and goes on as an error. */
export async function signatureHolds(envelope, signature, key) {
  try {
    await checkSignature(envelope, signature, key);
    return true;
  } catch (error) {
    if (asLedgerError(error).kind === "signature") return false;
    throw error;
  }
}

const applyEvent = (roster, event, index) => APPLY[event.event](roster, event, index);

function found(roster, event) {
  const founded = { ...roster, origin: event.origin, name: event.name, utcOffset: event.utc_offset };
  return addLogKeys(setAuthority(founded, event.authority), event.log.vkeys, 0, 0);
}

function setAuthority(roster, event) {
  const authority = new Map(event.keys.map(keyOf).map((key) => [key.keyid, key]));
  return { ...roster, authority, threshold: event.threshold, usedKeys: new Set([...roster.usedKeys, ...authority.keys()]) };
}

function addLogKeys(roster, vkeys, fromSize, overlapUntil) {
  const older = roster.logKeys.map((keys) => ({ ...keys, untilSize: keys.untilSize ?? overlapUntil }));
  const { keyid } = publicKey(logKeyOf(vkeys, roster.origin).key);
  return { ...roster, logKeys: [...older, { vkeys, fromSize, untilSize: null }], usedKeys: new Set([...roster.usedKeys, keyid]) };
}

function enrol(roster, event, index) {
  const key = keyOf(event.key);
  const { holder, position, offices, kinds } = event;
  const enrolment = {
    key, holder, position, offices, kinds, begins: event.from, until: event.until ?? null, index,
    retiredAt: null, revokedAt: null, suspectFrom: null,
  };
  const usedKeys = new Set([...roster.usedKeys, key.keyid]);
  return { ...roster, enrolments: put(roster.enrolments, key.keyid, enrolment), usedKeys };
}

function endKey(roster, event, index) {
  const before = roster.enrolments.get(event.key);
  const suspectFrom = Math.min(before.suspectFrom ?? Infinity, event.suspect_from);
  const ended = event.event === "retire"
    ? { ...before, retiredAt: index }
    : { ...before, revokedAt: before.revokedAt ?? index, suspectFrom };
  return { ...roster, enrolments: put(roster.enrolments, event.key, ended) };
}

function addRule(roster, event) {
  if (Object.hasOwn(event, "kind")) return { ...roster, rules: put(roster.rules, event.kind, event) };
  return { ...roster, competences: new Set([...roster.competences, `${event.office} ${event.over}`]) };
}

const APPLY = {
  founding: found,
  office: (roster, event) => ({ ...roster, offices: put(roster.offices, event.id, event) }),
  form: (roster, event) => ({ ...roster, forms: put(roster.forms, event.id, event) }),
  series: (roster, event) => ({ ...roster, series: put(roster.series, event.id, event) }),
  retire: endKey,
  revoke: endKey,
  authority: setAuthority,
  enrol,
  rule: addRule,
  duty: (roster) => roster,
  withdraw: (roster, event) => ({ ...roster, withdrawn: put(roster.withdrawn, event.sha256, event) }),
  reaffirm: (roster, event) => ({ ...roster, reaffirmed: new Set([...roster.reaffirmed, ...event.acts]) }),
  log_key: (roster, event) => addLogKeys(roster, event.vkeys, event.from_size, event.overlap_until_size),
};

const put = (table, key, value) => new Map([...table, [key, value]]);

const short = (value) => (typeof value === "string" ? value.slice(0, 16) : value);
