// Offline proofs (C2SP tlog-proof), files named *.tlog-proof; as ledger/tlog/proof.py.
//
//   c2sp.org/tlog-proof@v1
//   extra eyJlbnZlbG9wZSI6...      the entry's bytes; nobody's word until the inclusion proof has held
//   index 41
//   gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=
//                                  a blank line, then the signed checkpoint as it was published

import { fromAscii, parseBase64, parseDecimal } from "./bytes.js";
import { formatError, newerError } from "./errors.js";
import { HASH_SIZE } from "./merkle.js";

export const MAGIC = "c2sp.org/tlog-proof@v1";
export const MAX_PROOF = 256 * 1024;
const MAGICS = /^c2sp\.org\/tlog-proof@v[1-9][0-9]{0,3}(\.[0-9]{1,4}){0,2}$/;
const MAX_HASHES = 63;

/** Whether a file that begins with these bytes is a proof. */
export const isProof = (start) => new TextDecoder("latin1").decode(start.slice(0, MAGIC.length + 1)) === `${MAGIC}\n`;

/** Return {index, hashes, checkpoint, extra or null}, nothing of it checked. */
export function parseProof(data) {
  const size = data.length;
  if (size > MAX_PROOF) throw formatError(`a proof of ${size} bytes`, "too-long", { size, limit: MAX_PROOF });
  const text = new TextDecoder("latin1").decode(data);
  const magic = text.split("\n", 1)[0];
  if (MAGICS.test(magic) && magic !== MAGIC) throw newerError(`a proof of the format ${magic}`);
  const blank = text.indexOf("\n\n");
  const lines = fromAscii(data.subarray(0, blank < 0 ? data.length : blank), "bad-proof").split("\n");
  if (blank < 0 || lines.shift() !== MAGIC) throw formatError(`a proof begins with ${MAGIC}`, "bad-proof");
  const extra = lines[0]?.startsWith("extra ") ? parseBase64(lines.shift().slice(6)) : null;
  if (!lines[0]?.startsWith("index ")) throw formatError("a proof has an index line", "bad-proof");
  const index = parseDecimal(lines.shift().slice(6));
  if (lines.length > MAX_HASHES) throw formatError(`${lines.length} hashes`, "bad-proof");
  const hashes = lines.map(parseBase64);
  if (hashes.some((one) => one.length !== HASH_SIZE)) throw formatError("a proof's hashes have 32 bytes", "bad-proof");
  return { index, hashes, checkpoint: data.slice(blank + 2), extra };
}

/** Return the first line of a checkpoint, unchecked: it only chooses which pin to try. */
export const claimedOrigin = (note) => new TextDecoder().decode(note).split("\n", 1)[0];
