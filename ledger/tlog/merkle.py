"""The Merkle tree of RFC 6962, section 2, with SHA-256.

A *node* ``(level, index)`` names the hash of the complete subtree of ``2**level`` leaves that begins at leaf
``index << level``. Each proof comes as a triple: which nodes it needs, how it is made from them, how it is checked.

    inclusion_nodes   → prove_inclusion   ↔ check_inclusion
    consistency_nodes → prove_consistency ↔ check_consistency

Whoever checks takes index, size and roots from its own question and from a signed checkpoint, never from the proof.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ledger.errors import FormatError, ProofError

__all__ = [
    "EMPTY_ROOT",
    "HASH_SIZE",
    "Frontier",
    "Node",
    "ReadHashes",
    "check_consistency",
    "check_inclusion",
    "consistency_nodes",
    "inclusion_nodes",
    "leaf_hash",
    "node_hash",
    "prove_consistency",
    "prove_inclusion",
    "root_hash",
    "subtrees",
]

HASH_SIZE = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()

Node = tuple[int, int]
ReadHashes = Callable[[Sequence[Node]], list[bytes]]


def leaf_hash(entry: bytes) -> bytes:
    """Return the leaf hash of ``entry``: SHA-256(0x00 ‖ entry)."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node: SHA-256(0x01 ‖ left ‖ right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_hash(leaf_hashes: Sequence[bytes]) -> bytes:
    """Return the root of a tree with these leaf hashes."""
    return Frontier.empty().extend(leaf_hashes).root()


@dataclass(frozen=True, slots=True)
class Frontier:
    """What a tree needs to grow: its size, and the roots of its perfect subtrees from the largest to the smallest."""

    size: int
    hashes: tuple[bytes, ...]

    @classmethod
    def empty(cls) -> Frontier:
        """Return the frontier of the empty tree."""
        return cls(0, ())

    def extend(self, leaf_hashes: Iterable[bytes]) -> Frontier:
        """Return the frontier after more leaves; about one hash a leaf."""
        size, stack = self.size, list(self.hashes)
        sha256 = hashlib.sha256
        for leaf in leaf_hashes:
            merges = size
            while merges & 1:
                leaf = sha256(b"\x01" + stack.pop() + leaf).digest()
                merges >>= 1
            stack.append(leaf)
            size += 1
        return Frontier(size, tuple(stack))

    def root(self) -> bytes:
        """Return the root hash."""
        if not self.hashes:
            return EMPTY_ROOT
        root = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            root = node_hash(left, root)
        return root

    def to_bytes(self) -> bytes:
        """Return the hashes one after another; the size is kept beside them."""
        return b"".join(self.hashes)

    @classmethod
    def from_bytes(cls, size: int, data: bytes) -> Frontier:
        """Return the frontier of a tree of ``size`` kept as ``data``.

        Raises:
            FormatError: a tree of that size has another number of perfect subtrees.
        """
        if size < 0 or len(data) != HASH_SIZE * size.bit_count():
            raise FormatError(f"not a frontier of size {size}", code="bad-frontier")
        return cls(size, tuple(data[at : at + HASH_SIZE] for at in range(0, len(data), HASH_SIZE)))


def subtrees(start: int, end: int) -> list[Node]:
    """Return the complete subtrees that cover leaves ``start … end-1``, left to right, where ``start`` is such a border.

    Their hashes fold from the right to the hash of the whole range (RFC 6962, section 2.1).
    """
    nodes: list[Node] = []
    while start < end:
        level = (end - start).bit_length() - 1
        nodes.append((level, start >> level))
        start += 1 << level
    return nodes


def inclusion_nodes(index: int, size: int) -> list[list[Node]]:
    """Return, for each hash of the audit path of leaf ``index``, the nodes that fold to it; leaf's sibling first.

    Raises:
        ProofError: there is no such leaf.
    """
    if not 0 <= index < size:
        raise ProofError(f"no leaf {index} in a tree of {size}", code="bad-index", index=index, size=size)
    path: list[list[Node]] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(subtrees(middle, end))
            end = middle
        else:
            path.append(subtrees(start, middle))
            start = middle
    return path[::-1]


def prove_inclusion(index: int, size: int, read: ReadHashes) -> list[bytes]:
    """Return the audit path of leaf ``index`` in the tree of ``size`` (RFC 6962, section 2.1.1)."""
    return _folded(inclusion_nodes(index, size), read)


def check_inclusion(proof: Sequence[bytes], *, index: int, size: int, leaf: bytes, root: bytes) -> None:
    """Accept that ``leaf`` is at ``index`` in the tree of ``size`` with ``root``.

    Raises:
        ProofError: the audit path is too long, too short, or leads elsewhere.
    """
    steps = _path_sides(index, size)
    _check_lengths([*proof, leaf, root], len(steps) + 2)
    found = leaf
    for sibling, is_left in zip(proof, steps, strict=True):
        found = node_hash(sibling, found) if is_left else node_hash(found, sibling)
    if found != root:
        raise ProofError(f"leaf {index} does not lead to the root of size {size}", code="inclusion", index=index, size=size)


def consistency_nodes(old_size: int, new_size: int) -> list[list[Node]]:
    """Return, for each hash of the consistency proof, the nodes that fold to it.

    Raises:
        ProofError: the sizes are negative or run backwards.
    """
    _check_sizes(old_size, new_size)
    if old_size in (0, new_size):
        return []
    path: list[list[Node]] = []
    start, end, whole = 0, new_size, True
    while end != old_size:
        middle = start + _split(end - start)
        if old_size <= middle:
            path.append(subtrees(middle, end))
            end = middle
        else:
            path.append(subtrees(start, middle))
            start, whole = middle, False
    if not whole:
        path.append(subtrees(start, end))
    return path[::-1]


def prove_consistency(old_size: int, new_size: int, read: ReadHashes) -> list[bytes]:
    """Return the consistency proof between two sizes (RFC 6962, section 2.1.2); empty from size 0."""
    return _folded(consistency_nodes(old_size, new_size), read)


def check_consistency(
    proof: Sequence[bytes], *, old_size: int, new_size: int, old_root: bytes, new_root: bytes
) -> None:
    """Accept that the tree of ``new_size`` with ``new_root`` begins with the one of ``old_size`` and ``old_root``.

    The empty tree is consistent with every tree, by an empty proof (C2SP tlog-witness).

    Raises:
        ProofError: it does not, or the proof has another length than these sizes need.
    """
    _check_sizes(old_size, new_size)
    for size, root in ((old_size, old_root), (new_size, new_root)):
        if size == 0 and root != EMPTY_ROOT:
            raise ProofError("size 0 with the root of no empty tree", code="consistency", old=old_size, new=new_size)
    shape = consistency_nodes(old_size, new_size)
    _check_lengths([*proof, old_root, new_root], len(shape) + 2)
    if old_size == 0:
        return
    if old_size == new_size:
        if old_root != new_root:
            raise ProofError(f"two roots of size {new_size}", code="two-roots", size=new_size)
        return
    found_old, found_new = _fold_consistency(proof, old_size, new_size, old_root)
    if found_old != old_root or found_new != new_root:
        raise ProofError(f"size {new_size} does not continue size {old_size}", code="consistency", old=old_size, new=new_size)


def _fold_consistency(
    proof: Sequence[bytes], old_size: int, new_size: int, old_root: bytes
) -> tuple[bytes, bytes]:
    """Return the two roots that a proof leads to, walking as ``consistency_nodes`` does, from the innermost step out."""
    sides: list[bool] = []
    start, end = 0, new_size
    while end != old_size:
        middle = start + _split(end - start)
        if old_size <= middle:
            sides.append(False)
            end = middle
        else:
            sides.append(True)
            start = middle
    hashes = list(proof)
    seed = hashes.pop(0) if any(sides) else old_root
    old = new = seed
    for sibling, is_left in zip(hashes, reversed(sides), strict=True):
        new = node_hash(sibling, new) if is_left else node_hash(new, sibling)
        if is_left:
            old = node_hash(sibling, old)
    return old, new


def _path_sides(index: int, size: int) -> list[bool]:
    """Return, from the leaf up, whether each sibling stands on the left."""
    if not 0 <= index < size:
        raise ProofError(f"no leaf {index} in a tree of {size}", code="bad-index", index=index, size=size)
    sides: list[bool] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        sides.append(index >= middle)
        start, end = (middle, end) if index >= middle else (start, middle)
    return sides[::-1]


def _split(width: int) -> int:
    """Return the largest power of two smaller than ``width`` (RFC 6962's *k*)."""
    return 1 << ((width - 1).bit_length() - 1)


def _folded(path: list[list[Node]], read: ReadHashes) -> list[bytes]:
    hashes = iter(read([node for nodes in path for node in nodes]))
    return [_fold([next(hashes) for _ in nodes]) for nodes in path]


def _fold(hashes: Sequence[bytes]) -> bytes:
    found = hashes[-1]
    for left in reversed(hashes[:-1]):
        found = node_hash(left, found)
    return found


def _check_lengths(proof: Sequence[bytes], count: int) -> None:
    if len(proof) != count or any(len(one) != HASH_SIZE for one in proof):
        raise ProofError(f"the proof has {len(proof)} hashes, {count} are needed", code="proof-length", count=count)


def _check_sizes(old_size: int, new_size: int) -> None:
    if not 0 <= old_size <= new_size:
        raise ProofError(f"sizes {old_size} and {new_size} run backwards", code="bad-sizes", old=old_size, new=new_size)
