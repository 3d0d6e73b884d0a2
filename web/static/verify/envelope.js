// Public keys and the envelope (DSSE v1.0.2 in one strict profile); as ledger/keys.py and ledger/records/envelope.py.
//
//   {"payload":"eyJkb2N1...","payloadType":"application/vnd.bening.record+json",
//    "signatures":[{"keyid":"3f0c...","sig":"kQ2x..."}]}
//
// Signed is the pre-authentication encoding: DSSEv1 <len> <type> <len> <payload>. A keyid is recomputed, never trusted.

import { concat, formatBase64, fromHex, isHex, parseBase64, utf8 } from "./bytes.js";
import { dumpCanonical, hasExactly, parseCanonical } from "./canonical.js";
import { checkEd25519, isSmallOrder } from "./ed25519.js";
import { formatError } from "./errors.js";
import { sha256Hex } from "./sha256.js";

export const MAX_ENVELOPE = 48_600;
const MAX_SIGNATURES = 16;
const KEYS = ["payload", "payloadType", "signatures"];
const SPKI = fromHex("302a300506032b6570032100");

/** Return {keyid, raw} of 32 raw bytes; a point of small order, by which anybody could sign, is refused. */
export function publicKey(raw) {
  if (raw.length !== 32 || isSmallOrder(raw)) throw formatError("not an Ed25519 public key", "bad-key");
  return { keyid: sha256Hex(SPKI, raw), raw };
}

/** Return the public key in exactly the 44-byte form of RFC 8410. */
export function publicKeyOfSpki(der) {
  const isEd25519 = der.length === 44 && SPKI.every((byte, at) => der[at] === byte);
  if (!isEd25519) throw formatError("not an Ed25519 SubjectPublicKeyInfo", "bad-key");
  return publicKey(der.slice(12));
}

/** Return the envelope in canonical JSON. */
export const loadEnvelope = (data) => envelopeOf(parseCanonical(data, MAX_ENVELOPE));

/** Return the canonical JSON of an envelope. */
export function dumpEnvelope({ payload, payloadType, signatures }) {
  const signed = signatures.map(({ keyid, sig }) => ({ keyid, sig: formatBase64(sig) }));
  return dumpCanonical({ payload: formatBase64(payload), payloadType, signatures: signed });
}

/** Return {payloadType, payload, signatures: [{keyid, sig}], id} of a parsed JSON value. */
export function envelopeOf(value) {
  if (!hasExactly(value, KEYS)) throw bad(`an envelope has ${KEYS.join(", ")}`);
  const areTexts = [value.payload, value.payloadType].every((one) => typeof one === "string");
  if (!areTexts) throw bad("a payload and its type are strings");
  const payload = parseBase64(value.payload);
  return { payloadType: value.payloadType, payload, signatures: signaturesOf(value.signatures), id: sha256Hex(payload) };
}

/** Accept a signature that `key` made over this envelope. */
export function checkSignature(envelope, signature, key) {
  const type = utf8(envelope.payloadType);
  const head = utf8(`DSSEv1 ${type.length} ${envelope.payloadType} ${envelope.payload.length} `);
  return checkEd25519(key.raw, concat(head, envelope.payload), signature.sig);
}

function signaturesOf(value) {
  if (!Array.isArray(value) || value.length < 1 || value.length > MAX_SIGNATURES) {
    throw formatError(`an envelope carries 1 to ${MAX_SIGNATURES} signatures`, "bad-signature-count");
  }
  const signatures = value.map(signatureOf);
  if (signatures.some((one, at) => at > 0 && signatures[at - 1].keyid >= one.keyid)) {
    throw formatError("signatures do not stand in strictly ascending keyid", "signature-order");
  }
  return signatures;
}

function signatureOf(value) {
  if (!hasExactly(value, ["keyid", "sig"])) throw bad("a signature has keyid and sig, nothing else");
  if (!isHex(value.keyid)) throw bad("keyid is not 64 hex digits");
  const sig = typeof value.sig === "string" ? parseBase64(value.sig) : new Uint8Array();
  if (sig.length !== 64) throw bad("sig is not 64 bytes in base64");
  return { keyid: value.keyid, sig };
}

const bad = (detail) => formatError(detail, "bad-envelope");
