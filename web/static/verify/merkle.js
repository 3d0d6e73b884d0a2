// The Merkle tree of RFC 6962, section 2, with SHA-256; as ledger/tlog/merkle.py.
//
// A node [level, index] names the hash of the complete subtree of 2^level leaves that begins at leaf index * 2^level.
// Whoever checks takes index, size and roots from its own question and from a signed checkpoint, never from the proof.

import { sameBytes } from "./bytes.js";
import { proofError } from "./errors.js";
import { sha256 } from "./sha256.js";

const LEAF = Uint8Array.of(0), INNER = Uint8Array.of(1);
export const HASH_SIZE = 32;
export const EMPTY_ROOT = sha256();

/** SHA-256(0x00 || entry). */
export const leafHash = (entry) => sha256(LEAF, entry);

/** SHA-256(0x01 || left || right). */
export const nodeHash = (left, right) => sha256(INNER, left, right);

/** Return the hash of a range of leaves from those of its `subtrees`, at least one, left to right. */
export const fold = (hashes) => hashes.reduceRight((right, left) => nodeHash(left, right));

/** Return the root of a tree with these leaf hashes. */
export function rootHash(leaves) {
  if (leaves.length === 0) return EMPTY_ROOT;
  if (leaves.length === 1) return leaves[0];
  const middle = split(leaves.length);
  return nodeHash(rootHash(leaves.slice(0, middle)), rootHash(leaves.slice(middle)));
}

/** Return the complete subtrees that cover leaves start ... end-1, left to right, where `start` is such a border. */
export function subtrees(start, end) {
  const nodes = [];
  while (start < end) {
    let level = 0, width = 1;
    while (width * 2 <= end - start) {
      width *= 2;
      level += 1;
    }
    nodes.push([level, start / width]);
    start += width;
  }
  return nodes;
}

/** Return the audit path of leaf `index` in the tree of `size`, its sibling first; `read` gives the hash of each node. */
export const proveInclusion = (index, size, read) => folded(ranges(inclusionSteps(index, size)), read);

/** Return the consistency proof between two sizes; empty from size 0. */
export const proveConsistency = (oldSize, newSize, read) => folded(consistencyRanges(oldSize, newSize), read);

/** Accept that `leaf` is at `index` in the tree of `size` with `root`. */
export function checkInclusion(proof, { index, size, leaf, root }) {
  const steps = inclusionSteps(index, size);
  checkHashes(proof, steps.length);
  checkHashes([leaf, root], 2);
  if (!sameBytes(climb(leaf, proof, steps), root)) {
    throw proofError(`leaf ${index} does not lead to the root of size ${size}`, "inclusion", { index, size });
  }
}

/** Accept that the tree of `newSize` with `newRoot` begins with the one of `oldSize` and `oldRoot`. */
export function checkConsistency(proof, { oldSize, newSize, oldRoot, newRoot }) {
  const values = { old: oldSize, new: newSize };
  checkHashes(proof, consistencyRanges(oldSize, newSize).length);
  checkHashes([oldRoot, newRoot], 2);
  for (const [size, root] of [[oldSize, oldRoot], [newSize, newRoot]]) {
    const isOdd = size === 0 && !sameBytes(root, EMPTY_ROOT);
    if (isOdd) throw proofError("size 0 with the root of no empty tree", "consistency", values);
  }
  if (oldSize === 0) return;
  if (oldSize === newSize && !sameBytes(oldRoot, newRoot)) throw proofError("two roots", "two-roots", { size: newSize });
  const [old, now] = consistencyRoots(proof, oldSize, newSize, oldRoot);
  if (!sameBytes(old, oldRoot) || !sameBytes(now, newRoot)) {
    throw proofError(`size ${newSize} does not continue size ${oldSize}`, "consistency", values);
  }
}

/** The siblings on the way from leaf `index` up to the root (RFC 6962's PATH): {isLeft, start, end} of their leaves. */
function inclusionSteps(index, size) {
  if (!(index >= 0 && index < size)) throw proofError(`no leaf ${index} in a tree of ${size}`, "bad-index", { index, size });
  const steps = [];
  let start = 0, end = size;
  while (end - start > 1) {
    const middle = start + split(end - start);
    if (index < middle) {
      steps.push({ isLeft: false, start: middle, end });
      end = middle;
    } else {
      steps.push({ isLeft: true, start, end: middle });
      start = middle;
    }
  }
  return steps.reverse();
}

/** The siblings on the way from the subtree in which the old tree ends up to the root (RFC 6962's SUBPROOF). */
function consistencySteps(oldSize, newSize) {
  if (!(oldSize >= 0 && oldSize <= newSize)) throw proofError("sizes run backwards", "bad-sizes", { old: oldSize, new: newSize });
  const steps = [];
  let start = 0, end = newSize;
  while (oldSize && end !== oldSize) {
    const middle = start + split(end - start);
    if (oldSize <= middle) {
      steps.push({ isLeft: false, start: middle, end });
      end = middle;
    } else {
      steps.push({ isLeft: true, start, end: middle });
      start = middle;
    }
  }
  return steps.reverse();
}

/** The two roots that a proof of the right length leads to. */
function consistencyRoots(proof, oldSize, newSize, oldRoot) {
  const steps = consistencySteps(oldSize, newSize);
  // Where the old tree is itself a complete subtree of the new one, its root is known and not in the proof.
  const isGiven = steps.some((step) => step.isLeft);
  const first = isGiven ? proof[0] : oldRoot;
  const rest = isGiven ? proof.slice(1) : proof;
  const lefts = steps.flatMap((step, at) => (step.isLeft ? [at] : []));
  const old = climb(first, lefts.map((at) => rest[at]), lefts.map((at) => steps[at]));
  return [old, climb(first, rest, steps)];
}

const climb = (start, siblings, steps) =>
  steps.reduce((found, step, at) => (step.isLeft ? nodeHash(siblings[at], found) : nodeHash(found, siblings[at])), start);

const ranges = (steps) => steps.map((step) => [step.start, step.end]);

function consistencyRanges(oldSize, newSize) {
  const steps = consistencySteps(oldSize, newSize);
  const border = steps.find((step) => step.isLeft);
  return border ? [[border.end, oldSize], ...ranges(steps)] : ranges(steps);
}

/** The largest power of two smaller than `width` (RFC 6962's k). */
function split(width) {
  let power = 1;
  while (power * 2 < width) power *= 2;
  return power;
}

/** Return the hash of each range of leaves, with a single call of `read`. */
async function folded(wanted, read) {
  const groups = wanted.map(([start, end]) => subtrees(start, end));
  const hashes = await read(groups.flat());
  checkHashes(hashes, groups.flat().length);
  let at = 0;
  return groups.map((group) => fold(hashes.slice(at, (at += group.length))));
}

function checkHashes(hashes, count) {
  if (hashes.length !== count || hashes.some((one) => one.length !== HASH_SIZE)) {
    throw proofError(`${hashes.length} hashes where ${count} of 32 bytes are needed`, "proof-length", { count });
  }
}
