// Signed notes and verifier keys (C2SP signed-note), and checkpoints without extension lines (C2SP tlog-checkpoint).
//
//   ledger.example/city                                origin
//   20852163                                           size
//   CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=       root hash
//                                                      a blank line
//   - ledger.example/city UlZg+bDF...                  an em dash, a key's name, base64 of key id and signature
//
// The text means nothing until a signature by a trusted key has held (see policy.js).

import { concat, formatBase64, fromUtf8, parseBase64, parseDecimal, partition, toHex, utf8 } from "./bytes.js";
import { formatError, newerError } from "./errors.js";
import { HASH_SIZE } from "./merkle.js";
import { sha256 } from "./sha256.js";

export const ED25519 = 0x01;
export const COSIGNATURE_ED25519 = 0x04;
export const COSIGNATURE_MLDSA44 = 0x06;
const KEY_SIZES = { [ED25519]: 32, [COSIGNATURE_ED25519]: 32, [COSIGNATURE_MLDSA44]: 1312 };
const MAX_NOTE = 128 * 1024, MAX_SIGNATURES = 16;
const DASH = "\u2014 ";
const ORIGIN = /^[a-z0-9.-]+(?:\/[a-z0-9._-]+)*$/;
const HIDDEN = /[+\p{White_Space}\u0000-\u001f\ud800-\udfff]/u;

/** Return {text, signatures: [{name, keyId, signature}]}; no signature has been checked. */
export function parseNote(data) {
  if (data.length > MAX_NOTE) throw formatError(`a note of ${data.length} bytes`, "note-too-long");
  const whole = fromUtf8(data, "bad-note");
  if (/[\u0000-\u0009\u000b-\u001f]/.test(whole)) throw formatError("a note holds a control character", "bad-note");
  const at = whole.lastIndexOf("\n\n");
  if (at < 0 || !whole.endsWith("\n") || at + 2 === whole.length) throw formatError("a note has text and signatures", "bad-note");
  const lines = whole.slice(at + 2, -1).split("\n");
  if (lines.length > MAX_SIGNATURES) throw formatError(`${lines.length} signatures`, "too-many-signatures");
  return { text: utf8(whole.slice(0, at + 1)), signatures: lines.map(parseLine) };
}

/** Return {origin, size, root} of a note's text. */
export function parseCheckpoint(text) {
  const lines = fromUtf8(text, "bad-checkpoint").split("\n");
  if (lines.length < 4 || lines.at(-1)) throw formatError("a checkpoint has three lines", "bad-checkpoint");
  if (lines.length > 4) throw formatError("a checkpoint of a ledger has no extension lines", "checkpoint-extension");
  const [origin, size, root] = [lines[0], parseDecimal(lines[1]), parseBase64(lines[2])];
  if (origin.length > 200 || !ORIGIN.test(origin) || root.length !== HASH_SIZE) {
    throw formatError("a checkpoint has an origin, a size and a root hash", "bad-checkpoint");
  }
  return { origin, size, root };
}

/** Return the checkpoint that a note claims; nobody's signature has been checked. */
export const claimedBy = (note) => parseCheckpoint(parseNote(note).text);

/** Return the key {name, keyId, algorithm, key} that a vkey spells: name+hex id+base64 of type and key. */
export function parseVkey(text) {
  const [name, hasId, rest] = partition(text, "+");
  const [id, hasKey, encoded] = partition(rest, "+");
  if (!hasId || !hasKey || !isName(name) || !/^[0-9a-f]{8}$/.test(id)) throw badVkey(text);
  const material = parseBase64(encoded);
  if (!material.length) throw badVkey(text);
  const [algorithm, key] = [material[0], material.slice(1)];
  if (algorithm === COSIGNATURE_MLDSA44 && utf8(name).length > 255) throw badVkey(text);
  const type = `0x${toHex([algorithm])}`;
  if (!(algorithm in KEY_SIZES)) throw newerError(`signature type ${type}`, { algorithm: type });
  if (key.length !== KEY_SIZES[algorithm]) throw badVkey(text);
  const keyId = sha256(utf8(`${name}\n`), material).slice(0, 4);
  if (toHex(keyId) !== id) throw badVkey(text);
  return { name, keyId, algorithm, key };
}

/** Return the vkey text of a key. */
export const formatVkey = ({ name, keyId, algorithm, key }) =>
  `${name}+${toHex(keyId)}+${formatBase64(concat(Uint8Array.of(algorithm), key))}`;

/** Whether `signature` names `key`. */
export const isBy = (signature, key) => signature.name === key.name && toHex(signature.keyId) === toHex(key.keyId);

function parseLine(line) {
  if (!line.startsWith(DASH)) throw formatError("a signature line begins with an em dash and a space", "bad-note");
  const [name, hasSpace, encoded] = partition(line.slice(DASH.length), " ");
  if (!hasSpace || !isName(name)) throw formatError("a signature line is: em dash, name, base64", "bad-note");
  const raw = parseBase64(encoded);
  if (raw.length < 5) throw formatError("a signature line holds a key id and a signature", "bad-note");
  return { name, keyId: raw.slice(0, 4), signature: raw.slice(4) };
}

/** A key name is not empty and has neither Unicode spaces, control characters, surrogates nor a plus sign. */
const isName = (name) => name !== "" && !HIDDEN.test(name);

const badVkey = (text) => formatError(`${JSON.stringify(text.slice(0, 80))} is not a verifier key`, "bad-vkey");
