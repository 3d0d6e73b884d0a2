// Trust policies (C2SP tlog-policy) as ledger/tlog/policy.py, and the checkpoint's signatures (C2SP tlog-cosignature).
//
//   # bening founding 9b1d...                   the ledger's identity
//   log ledger.example/city+1f0c...+AQ...       Ed25519
//   witness log-pq ledger.example/city+...+Bg   the log's post-quantum key, in the policy for readers that know ML-DSA-44
//   witness kpk kpk.example/w+...+BA...
//   group witnesses 1 kpk
//   quorum witnesses
//
// No browser checks ML-DSA-44. The log's own second line (log-pq) must be there where the policy names it, and is said not to
// be checked; a witness with such a key never counts.

import { concat, fromUtf8, parseDecimal, utf8 } from "./bytes.js";
import { checkEd25519 } from "./ed25519.js";
import { LedgerError, formatError, newerError, policyError, signatureError } from "./errors.js";
import {
  COSIGNATURE_ED25519, COSIGNATURE_MLDSA44, ED25519, formatVkey, isBy, parseCheckpoint, parseNote, parseVkey,
} from "./note.js";

export const LOG_PQ = "log-pq";
export const MAX_POLICY = 256 * 1024;
const FOUNDING = /^# bening founding ([0-9a-f]{64})$/gm;

/** Return the founding that a policy names in its comment; null without exactly one. */
export function policyFounding(data) {
  const found = [...new TextDecoder("latin1").decode(data).matchAll(FOUNDING)];
  return found.length === 1 ? found[0][1] : null;
}

/** Return {logs: [key], witnesses: Map(name: {name, key or null}), groups: Map(name: {needed, members}), quorum}. */
export function parsePolicy(data) {
  const size = data.length;
  if (size > MAX_POLICY) throw formatError(`a policy of ${size} bytes`, "too-long", { size, limit: MAX_POLICY });
  if (data.some((byte) => (byte < 0x20 && byte !== 9 && byte !== 10) || byte === 0x7f)) throw badPolicy("a control character");
  if (data.length && data.at(-1) !== 10) throw badPolicy("it does not end in a newline");
  const policy = { logs: [], witnesses: new Map(), groups: new Map(), quorum: undefined };
  const seen = { members: new Set(), keys: new Set() };
  for (const line of fromUtf8(data, "bad-policy").split("\n")) {
    const words = line.split(/[ \t]+/).filter((word) => word !== "");
    if (words.length && !words[0].startsWith("#")) readLine(policy, seen, words);
  }
  if (policy.quorum === undefined) throw badPolicy("no quorum line");
  return policy;
}

/** Return the name of the policy's one log. */
export function originOf(policy) {
  const names = new Set(policy.logs.map((key) => key.name));
  if (names.size !== 1) throw policyError("a policy of a ledger names exactly one log", "not-one-log");
  return policy.logs[0].name;
}

/** Return the vkeys of the policy's log: Ed25519, then ML-DSA-44 where it is named. */
export function vkeysOf(policy) {
  const second = policy.witnesses.get(LOG_PQ)?.key;
  return [...policy.logs, ...(second ? [second] : [])].map(formatVkey);
}

/** Return Map(organisation: its witnesses): keys of one name in a group `any` are one voice; the log's own key is none. */
export function organisations(policy) {
  const together = new Map();
  for (const [name, { needed, members }] of policy.groups) {
    const names = new Set(members.map((one) => policy.witnesses.get(one)?.key?.name ?? null));
    const isOne = needed === 1 && !members.includes(LOG_PQ) && members.length > 1 && names.size === 1 && !names.has(null);
    if (isOne) for (const member of members) together.set(member, [name, members]);
  }
  const others = [...policy.witnesses.keys()].filter((name) => name !== LOG_PQ);
  return new Map(others.map((name) => together.get(name) ?? [name, [name]]));
}

/** Return {checkpoint, logKey, cosigned: Map(witness: time)} of a signed note, if the policy accepts it. */
export async function openCheckpoint(policy, data) {
  const note = parseNote(data);
  const checkpoint = parseCheckpoint(note.text);
  const logs = policy.logs.filter((key) => key.name === checkpoint.origin);
  if (!logs.length) {
    const expected = policy.logs.map((key) => key.name).join(", ");
    throw policyError(`a checkpoint of ${checkpoint.origin}`, "other-origin", { origin: checkpoint.origin, expected });
  }
  const named = [...policy.witnesses.values()].filter((one) => one.key !== null);
  const signed = await signersOf(note, [...logs, ...named.map((one) => one.key)]);
  const logKey = logs.find((key) => signed.has(key));
  if (!logKey) throw wrongKey(checkpoint.origin);
  const counting = named.filter((one) => signed.has(one.key) && (one.name === LOG_PQ || !isUncheckable(one.key)));
  const cosigned = new Map(counting.map((one) => [one.name, signed.get(one.key)]));
  checkQuorum(policy, cosigned);
  return { checkpoint, logKey, cosigned };
}

/** Whether these names are a quorum. Groups name only earlier ones: one pass in their order is enough. */
export function holds(policy, cosigned) {
  const witnessed = new Set(cosigned);
  for (const [name, group] of policy.groups) {
    if (group.members.filter((member) => witnessed.has(member)).length >= group.needed) witnessed.add(name);
  }
  return policy.quorum === null || witnessed.has(policy.quorum);
}

const isUncheckable = (key) => key === null || key.algorithm === COSIGNATURE_MLDSA44;

/** Require a quorum; a witness whose key no browser can judge has not cosigned, but might have. */
function checkQuorum(policy, cosigned) {
  const counting = [...cosigned.keys()];
  if (holds(policy, counting)) return;
  const unknown = [...policy.witnesses.values()].filter((one) => one.name !== LOG_PQ && isUncheckable(one.key));
  if (unknown.length && holds(policy, [...counting, ...unknown.map((one) => one.name)])) {
    throw newerError(`the quorum needs keys that cannot be checked here: ${unknown.map((one) => one.name).join(", ")}`);
  }
  if (policy.witnesses.has(LOG_PQ) && !cosigned.has(LOG_PQ)) throw wrongKey(policy.logs[0].name);
  throw policyError(`cosigned by ${counting.join(", ") || "nobody"}`, "no-quorum", { count: counting.length });
}

/** Return Map(key: time or null) of the `keys` that signed the note; signatures by others are ignored, a false one refuses it. */
export async function signersOf(note, keys) {
  const found = new Map();
  for (const key of keys) {
    const other = keys.find((one) => isBy(one, key) && formatVkey(one) !== formatVkey(key));
    if (other) throw policyError(`two keys share the name ${key.name} and an id`, "same-key-id", { name: key.name });
  }
  for (const signature of note.signatures) {
    const key = keys.find((one) => isBy(signature, one));
    if (!key) continue;
    if (found.has(key)) throw signatureError(`${key.name} signed twice`);
    found.set(key, await checkNoteSignature(key, note.text, signature.signature));
  }
  return found;
}

async function checkNoteSignature(key, text, raw) {
  if (key.algorithm === ED25519) {
    await checkEd25519(key.key, text, raw);
    return null;
  }
  parseCheckpoint(text);
  const time = raw.slice(0, 8).reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
  if (raw.length < 8 || time === 0n || time >= 2n ** 63n) throw signatureError("a cosignature over a checkpoint states its time");
  const message = concat(utf8(`cosignature/v1\ntime ${time}\n`), text);
  if (key.algorithm === COSIGNATURE_ED25519) await checkEd25519(key.key, message, raw.slice(8));
  return Number(time);
}

function readLine(policy, seen, [word, ...words]) {
  const readers = { log: readLog, witness: readWitness, group: readGroup, quorum: readQuorum };
  if (!Object.hasOwn(readers, word)) throw badPolicy(word.slice(0, 40));
  try {
    readers[word](policy, seen, words);
  } catch (error) {
    throw error instanceof LedgerError && error.kind === "format" ? badPolicy(error.detail) : error;
  }
}

function readLog(policy, seen, words) {
  if (words.length < 1 || words.length > 2) throw badPolicy("log <vkey> [<url>]");
  const key = parseVkey(words[0]);
  if (![ED25519, COSIGNATURE_MLDSA44].includes(key.algorithm)) throw badPolicy("a key that cannot sign for a log");
  if (policy.logs.some((other) => String(other.key) === String(key.key))) throw badPolicy("the same log key twice");
  policy.logs.push(key);
}

function readWitness(policy, seen, words) {
  if (words.length < 2 || words.length > 3) throw badPolicy("witness <name> <vkey> [<url>]");
  newName(policy, words[0]);
  policy.witnesses.set(words[0], { name: words[0], key: witnessKey(seen, words[1]) });
}

function witnessKey(seen, vkey) {
  let key;
  try {
    key = parseVkey(vkey);
  } catch (error) {
    if (error instanceof LedgerError && error.kind === "newer") return null;
    throw error;
  }
  if (![COSIGNATURE_ED25519, COSIGNATURE_MLDSA44].includes(key.algorithm)) throw badPolicy("a key that cannot cosign");
  if (seen.keys.has(String(key.key))) throw badPolicy("the same witness key twice");
  seen.keys.add(String(key.key));
  return key;
}

function readGroup(policy, seen, words) {
  if (words.length < 3) throw badPolicy("group <name> all|any|<k> <name>...");
  const [name, needed, ...members] = words;
  newName(policy, name);
  for (const member of members) {
    knownName(policy, member);
    if (seen.members.has(member)) throw badPolicy("listed as a member twice");
    seen.members.add(member);
  }
  const count = needed === "all" ? members.length : needed === "any" ? 1 : parseDecimal(needed);
  if (!(count >= 1 && count <= members.length)) throw badPolicy(`${needed} of ${members.length}`);
  policy.groups.set(name, { needed: count, members });
}

function readQuorum(policy, seen, words) {
  if (words.length !== 1 || policy.quorum !== undefined) throw badPolicy("exactly one line: quorum <name>");
  if (words[0] !== "none") knownName(policy, words[0]);
  policy.quorum = words[0] === "none" ? null : words[0];
}

function newName(policy, name) {
  const isTaken = name === "none" || policy.witnesses.has(name) || policy.groups.has(name);
  if (isTaken) throw badPolicy(`the name ${name.slice(0, 40)} is taken`);
}

function knownName(policy, name) {
  if (!policy.witnesses.has(name) && !policy.groups.has(name)) throw badPolicy(`${name.slice(0, 40)} has not been defined above`);
}

const badPolicy = (detail) => formatError(detail, "bad-policy");

const wrongKey = (origin) => policyError(`not signed by ${origin}`, "wrong-key", { origin });
