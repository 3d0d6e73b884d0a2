// The ZIP of an evidence bundle from somebody else (APPNOTE 6.3), read in place from a Blob; as ledger/verifier/bag_zip.py.
//
// It is one that Bening writes, or the same packed again: members stored or deflated, one after another from the first byte to
// the central directory, with nothing between, before, behind or beside them where another file could hide. Count, sizes and
// ratio are limited; each path has its place in the layout, and a limit of its own.

import { concat, toHex } from "./bytes.js";
import { asLedgerError, formatError } from "./errors.js";
import { MAX_POLICY } from "./policy.js";
import { MAX_PROOF } from "./proof.js";
import { Sha256, pieces } from "./sha256.js";

const MEGABYTE = 1024 ** 2;
const MAX_MEMBERS = 10_000, MAX_TOTAL = 2 * 1024 ** 3, MAX_RATIO = 200, RATIO_FROM = MEGABYTE, MAX_KEPT = 128 * MEGABYTE;
const LOCAL = 30, CENTRAL = 46, END = 22, MAX_VERSION = 63;
const STORED = 0, DEFLATED = 8;
const ACT = "data/acts/(?:0|[1-9][0-9]{0,15})/";
// Each file of the layout: its path, the most bytes it may have, and whether its bytes are kept in memory.
const KINDS = [
  ["bagit\\.txt|bag-info\\.txt|tagmanifest-sha256\\.txt", 4096, false],
  ["manifest-sha256\\.txt", 4 * MEGABYTE, true],
  ["data/README\\.txt", 64 * 1024, false],
  ["data/policy(?:-ed25519)?", MAX_POLICY, true],
  ["data/checkpoint", 128 * 1024, true],
  ["data/roster\\.jsonl", MAX_KEPT / 2, true],
  [`${ACT}entry\\.json`, 49_000, false],
  [`${ACT}record\\.json`, 32 * 1024, false],
  [`${ACT}proof\\.tlog-proof`, MAX_PROOF, true],
  [`${ACT}signature-[0-9a-f]{8}\\.bin`, 64, false],
  [`${ACT}key-[0-9a-f]{8}\\.pem`, 1024, true],
  [`${ACT}not-included\\.json`, 4 * 32 * 1024, false],
  [`${ACT}documents/[0-9a-f]{8}-[A-Za-z0-9._-]{1,100}`, MAX_TOTAL, false],
].map(([path, limit, isKept]) => ({ path: new RegExp(`^(?:${path})$`), limit, isKept }));

/** Tell a bundle from a document: a ZIP from the first byte to the last, with a bagit.txt one folder down. */
export async function isBundle(blob) {
  try {
    const { members } = await readDirectory(blob);
    return members.some((one) => /^[^/]*\/bagit\.txt$/.test(one.name));
  } catch (error) {
    asLedgerError(error);
    return false;
  }
}

/** Return {hashes, sizes, kept}: Maps of each file's SHA-256, size and (of the few needed) bytes, by path in the top folder. */
export async function readZip(blob) {
  const { members, central } = await readDirectory(blob);
  const total = members.reduce((sum, one) => sum + one.size, 0);
  if (members.length > MAX_MEMBERS || total > MAX_TOTAL) throw unsafe("too many or too large");
  await checkPlaces(blob, members, central);
  const found = { hashes: new Map(), sizes: new Map(), kept: new Map() };
  let room = MAX_KEPT;
  for (const [name, member] of filesOf(members)) {
    const kind = kindOf(name);
    if (kind.isKept) room -= member.size;
    if (member.size > kind.limit || room < 0) throw unsafe(member.name);
    const parts = [], digest = new Sha256();
    for await (const piece of contentOf(blob, member)) {
      digest.update(piece);
      if (kind.isKept) parts.push(piece.slice());
    }
    found.hashes.set(name, toHex(digest.digest()));
    found.sizes.set(name, member.size);
    if (kind.isKept) found.kept.set(name, concat(...parts));
  }
  return found;
}

const bytesAt = async (blob, start, length) => new Uint8Array(await blob.slice(start, start + length).arrayBuffer());

const viewOf = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

/** Return {members, central}: what the central directory lists, and where it begins. */
async function readDirectory(blob) {
  const [begins, last] = [await bytesAt(blob, 0, 4), await bytesAt(blob, Math.max(blob.size - END, 0), END)];
  if (toHex(begins) !== "504b0304" || last.length !== END) throw unsafe("not a ZIP from its first byte");
  const end = viewOf(last);
  const [count, length, start] = [end.getUint16(10, true), end.getUint32(12, true), end.getUint32(16, true)];
  const isWhole = end.getUint32(0) === 0x504b0506 && end.getUint16(20, true) === 0 && start + length + END === blob.size;
  const isOneDisk = end.getUint32(4) === 0 && end.getUint16(8, true) === count;
  if (!isWhole || !isOneDisk || length > MAX_MEMBERS * 1024) throw unsafe("not a ZIP to its last byte");
  return { members: parseDirectory(await bytesAt(blob, start, length), count), central: start };
}

function parseDirectory(bytes, count) {
  const view = viewOf(bytes), members = [];
  let at = 0;
  while (at + CENTRAL <= bytes.length && view.getUint32(at) === 0x504b0102) {
    const [nameLength, extra, comment] = [28, 30, 32].map((offset) => view.getUint16(at + offset, true));
    const rawName = bytes.subarray(at + CENTRAL, at + CENTRAL + nameLength);
    members.push({
      rawName, name: new TextDecoder("latin1").decode(rawName),
      flags: view.getUint16(at + 8, true), method: view.getUint16(at + 10, true),
      packed: view.getUint32(at + 20, true), size: view.getUint32(at + 24, true), start: view.getUint32(at + 42, true),
      type: (view.getUint32(at + 38, true) >>> 16) & 0o170000,
      isBare: extra === 0 && comment === 0 && rawName.length === nameLength, version: bytes[at + 6],
    });
    at += CENTRAL + nameLength + extra + comment;
  }
  if (at !== bytes.length || members.length !== count) throw unsafe("the directory is not in order");
  if (members.some((one) => one.version > MAX_VERSION)) throw unsafe("made for a later version of ZIP");
  return members;
}

/** Require that each member begins where the one before ends: there is room for nothing else in the file. */
async function checkPlaces(blob, members, central) {
  let place = 0;
  for (const member of [...members].sort((one, other) => one.start - other.start)) {
    const head = await bytesAt(blob, place, LOCAL + member.rawName.length);
    if (member.start !== place || head.length !== LOCAL + member.rawName.length || !member.isBare) throw unsafe(member.name);
    const view = viewOf(head);
    const said = [view.getUint16(6, true), view.getUint16(8, true), view.getUint32(18, true), view.getUint32(22, true)];
    const isSame = String(said) === String([member.flags, member.method, member.packed, member.size]);
    const isNamed = view.getUint16(26, true) === member.rawName.length && toHex(head.subarray(LOCAL)) === toHex(member.rawName);
    const isPlain = view.getUint32(0) === 0x504b0304 && view.getUint16(28, true) === 0 && !(member.flags & 0x9);
    if (!isPlain || !isSame || !isNamed) throw unsafe(member.name);
    member.content = place + head.length;
    place = member.content + member.packed;
  }
  if (place !== central) throw unsafe("bytes that belong to no file");
}

/** Return Map(path below the one top folder: member) of the files; a folder stands only where files are below it. */
function filesOf(members) {
  const isFolder = (one) => one.name.endsWith("/") && one.size === 0 && one.packed === 0;
  const tops = new Set(members.map((one) => one.name.split("/")[0]));
  if (tops.size !== 1 || !/^(?!\.{1,2}$)[A-Za-z0-9._-]{1,64}$/.test([...tops][0])) throw unsafe("another top folder");
  const files = new Map();
  for (const member of members.filter((one) => !isFolder(one))) {
    const name = member.name.slice(member.name.indexOf("/") + 1);
    if (files.has(name) || !isSafe(member)) throw unsafe(member.name);
    files.set(name, member);
  }
  const empty = members.find((one) => isFolder(one) && ![...files.values()].some((file) => file.name.startsWith(one.name)));
  if (empty) throw unsafe(empty.name);
  return files;
}

function isSafe({ name, method, packed, size, type }) {
  const parts = name.split("/");
  const isStored = method === STORED && packed === size;
  const isBomb = size > RATIO_FROM && size > MAX_RATIO * Math.max(packed, 1);
  const isPlain = /^[!-~]+$/.test(name) && !name.includes("\\") && !parts[0].includes(":");
  const isReadable = isStored || (method === DEFLATED && !isBomb);
  const isInside = parts.length > 1 && !parts.some((part) => ["", ".", ".."].includes(part));
  return isPlain && isReadable && isInside && [0, 0o100000].includes(type);
}

function kindOf(name) {
  const kind = KINDS.find((one) => one.path.test(name));
  if (!kind) throw formatError(`${name} has no place in a bundle`, "bundle-unknown-file", { name: name.slice(0, 200) });
  return kind;
}

/** Yield a member's bytes, exactly as many as it states. */
async function* contentOf(blob, member) {
  const packed = blob.slice(member.content, member.content + member.packed);
  let left = member.size;
  for await (const piece of member.method === STORED ? pieces(packed) : inflated(packed, member.name)) {
    left -= piece.length;
    if (left < 0) throw unsafe(member.name);
    yield piece;
  }
  if (left) throw unsafe(member.name);
}

/** Yield what was deflated, a little at a time; nothing may stand behind its end. */
async function* inflated(packed, name) {
  const reader = packed.stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) yield part.value;
  } catch {
    throw unsafe(name);
  } finally {
    reader.cancel().catch(() => {});
  }
}

const unsafe = (what) => formatError(`not a bundle that is safe to read: ${what}`, "bundle-unsafe", { name: what.slice(0, 200) });
