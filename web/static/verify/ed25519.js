// Ed25519 by WebCrypto, judged as PyNaCl judges it: what a browser may accept beyond that is refused before it is asked.
//
// Refused: a public key that is not the canonical encoding of its point (y >= p) or is of small order, a nonce point R of
// small order, and an S that is not below the group order. WebCrypto leaves the first three to the implementation.

import { fromHex, toHex, utf8 } from "./bytes.js";
import { newerError, signatureError } from "./errors.js";

const P = 2n ** 255n - 19n;
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
const SMALL_ORDER = new Set([
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]);
// RFC 8032, 7.1, TEST 2: what shows whether this browser can do it at all.
const KNOWN_KEY = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
const KNOWN_SIGNATURE =
  "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da" +
  "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";

const imported = new Map();

/** Whether the 32 bytes encode a point of small order, with either sign. */
export function isSmallOrder(point) {
  const masked = Uint8Array.from(point);
  masked[31] &= 0x7f;
  return SMALL_ORDER.has(toHex(masked));
}

/** Accept a signature by the raw 32-byte `key` over `message`; raise a signature error for anything else. */
export async function checkEd25519(key, message, signature) {
  if (key.length !== 32 || signature.length !== 64) throw mismatch();
  const [point, s] = [signature.slice(0, 32), littleEndian(signature.slice(32))];
  const masked = Uint8Array.from(key);
  masked[31] &= 0x7f;
  if (s >= ORDER || littleEndian(masked) >= P || isSmallOrder(key) || isSmallOrder(point)) throw mismatch();
  if (!(await verify(key, message, signature))) throw mismatch();
}

/** Whether this browser can check Ed25519: the known signature holds, and the same with one bit changed does not. */
export async function canCheckEd25519() {
  const [key, good] = [fromHex(KNOWN_KEY), fromHex(KNOWN_SIGNATURE)];
  try {
    return (await verify(key, utf8("r"), good)) && !(await verify(key, utf8("s"), good));
  } catch {
    return false;
  }
}

async function verify(key, message, signature) {
  const subtle = globalThis.crypto?.subtle;
  if (!subtle) throw newerError("this browser has no WebCrypto here");
  const name = toHex(key);
  if (!imported.has(name)) {
    try {
      imported.set(name, await subtle.importKey("raw", key, { name: "Ed25519" }, false, ["verify"]));
    } catch (error) {
      if (error.name === "DataError") return false; // not a point of the curve
      throw newerError(`this browser cannot take an Ed25519 key: ${error.name}`);
    }
  }
  return subtle.verify({ name: "Ed25519" }, imported.get(name), signature, message);
}

const mismatch = () => signatureError("the Ed25519 signature does not match its key and text");

const littleEndian = (bytes) => BigInt(`0x${toHex(Uint8Array.from(bytes).reverse())}`);
