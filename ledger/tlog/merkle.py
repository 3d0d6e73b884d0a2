"""The Merkle tree of RFC 6962, section 2, with SHA-256.

A *node* ``(level, index)`` names the hash of the complete subtree of ``2**level`` leaves that begins at leaf
``index << level``. Each proof comes as a triple: which nodes it needs, how it is made from them, how it is checked.

    inclusion_nodes   → prove_inclusion   ↔ check_inclusion
    consistency_nodes → prove_consistency ↔ check_consistency

Whoever checks takes index, size and roots from its own question and from a signed checkpoint, never from the proof.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

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
    "fold",
    "inclusion_nodes",
    "leaf_hash",
    "node_hash",
    "other_beginning",
    "prove_consistency",
    "prove_inclusion",
    "root_hash",
    "subtrees",
]

HASH_SIZE = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()

Node = tuple[int, int]


class ReadHashes(Protocol):
    """Where the hashes of a tree come from."""

    def __call__(self, nodes: Sequence[Node], /) -> list[bytes]:
        """Return the hash of each node, in the order of ``nodes``."""
        ...


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
        leaves, at, size, stack = list(leaf_hashes), 0, self.size, list(self.hashes)
        while at < len(leaves):
            width = 1 << (len(leaves) - at).bit_length() - 1
            if size:
                width = min(width, size & -size)  # the largest perfect subtree that may begin here
            node, merges = _perfect(leaves[at : at + width]), size // width
            while merges & 1:
                node = node_hash(stack.pop(), node)
                merges >>= 1
            stack.append(node)
            at, size = at + width, size + width
        return Frontier(size, tuple(stack))

    def root(self) -> bytes:
        """Return the root hash."""
        return fold(self.hashes) if self.hashes else EMPTY_ROOT

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


def _perfect(level: Sequence[bytes]) -> bytes:
    """Return the root over the leaf hashes of a perfect tree, level by level: nearly all of a tree's hashes are made here."""
    sha256 = hashlib.sha256
    while len(level) > 1:
        level = [sha256(b"\x01" + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=True)]
    return level[0]


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


def inclusion_nodes(index: int, size: int) -> list[Node]:
    """Return the nodes from which the audit path of leaf ``index`` is made, in the order in which it needs them.

    Raises:
        ProofError: there is no such leaf.
    """
    return _nodes(_inclusion_ranges(index, size))


def prove_inclusion(index: int, size: int, read: ReadHashes) -> list[bytes]:
    """Return the audit path of leaf ``index`` in the tree of ``size`` (RFC 6962, section 2.1.1), its sibling first.

    Raises:
        ProofError: there is no such leaf, or ``read`` did not give the hashes asked for.
    """
    return _folded(_inclusion_ranges(index, size), read)


def check_inclusion(proof: Sequence[bytes], *, index: int, size: int, leaf: bytes, root: bytes) -> None:
    """Accept that ``leaf`` is at ``index`` in the tree of ``size`` with ``root``.

    Raises:
        ProofError: the audit path is too long, too short, or leads elsewhere.
    """
    steps = _inclusion_steps(index, size)
    _check_hashes(proof, len(steps))
    _check_hashes((leaf, root), 2)
    found = leaf
    for sibling, step in zip(proof, steps, strict=True):
        found = node_hash(sibling, found) if step.is_left else node_hash(found, sibling)
    if found != root:
        raise ProofError(f"leaf {index} does not lead to the root of size {size}", code="inclusion", index=index, size=size)


def consistency_nodes(old_size: int, new_size: int) -> list[Node]:
    """Return the nodes from which the consistency proof is made, in the order in which it needs them.

    Raises:
        ProofError: the sizes are negative or run backwards.
    """
    return _nodes(_consistency_ranges(old_size, new_size))


def prove_consistency(old_size: int, new_size: int, read: ReadHashes) -> list[bytes]:
    """Return the consistency proof between two sizes (RFC 6962, section 2.1.2); empty from size 0.

    Raises:
        ProofError: the sizes are negative or run backwards, or ``read`` did not give the hashes asked for.
    """
    return _folded(_consistency_ranges(old_size, new_size), read)


def check_consistency(proof: Sequence[bytes], *, old_size: int, new_size: int, old_root: bytes, new_root: bytes) -> None:
    """Accept that the tree of ``new_size`` with ``new_root`` begins with the one of ``old_size`` and ``old_root``.

    The empty tree is consistent with every tree, by an empty proof (C2SP tlog-witness).

    Raises:
        ProofError: it does not, or the proof has another length than these sizes need.
    """
    _check_hashes(proof, len(_consistency_ranges(old_size, new_size)))
    _check_hashes((old_root, new_root), 2)
    for size, root in ((old_size, old_root), (new_size, new_root)):
        if size == 0 and root != EMPTY_ROOT:
            raise ProofError("size 0 with the root of no empty tree", code="consistency", old=old_size, new=new_size)
    if old_size == 0:
        return
    if old_size == new_size and old_root != new_root:
        raise ProofError(f"two roots of size {new_size}", code="two-roots", size=new_size)
    if _consistency_roots(proof, old_size, new_size, old_root) != (old_root, new_root):
        raise ProofError(f"size {new_size} does not continue size {old_size}", code="consistency", old=old_size, new=new_size)


def other_beginning(
    proof: Sequence[bytes], *, old_size: int, new_size: int, old_root: bytes, new_root: bytes
) -> bytes | None:
    """Return the root of ``old_size`` under ``new_root``, where a proof shows that it is another than ``old_root``; else None.

    That convicts whoever has signed both roots. A proof that leads nowhere shows nothing: anybody can write one.
    """
    if old_size == 0 or old_size > new_size or len(proof) != len(_consistency_ranges(old_size, new_size)):
        return None
    begun, reached = (new_root, new_root) if old_size == new_size else _consistency_roots(proof, old_size, new_size, old_root)
    return begun if reached == new_root and begun != old_root else None


@dataclass(frozen=True, slots=True)
class _Step:
    """A sibling on the way to the root: the leaves ``start … end-1``, on the left or on the right."""

    is_left: bool
    start: int
    end: int


def _inclusion_steps(index: int, size: int) -> list[_Step]:
    """Return the siblings on the way from leaf ``index`` up to the root (RFC 6962's PATH)."""
    if not 0 <= index < size:
        raise ProofError(f"no leaf {index} in a tree of {size}", code="bad-index", index=index, size=size)
    steps: list[_Step] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            steps.append(_Step(False, middle, end))
            end = middle
        else:
            steps.append(_Step(True, start, middle))
            start = middle
    return steps[::-1]


def _consistency_steps(old_size: int, new_size: int) -> list[_Step]:
    """Return the siblings on the way from the subtree in which the old tree ends up to the root (RFC 6962's SUBPROOF)."""
    if not 0 <= old_size <= new_size:
        raise ProofError(f"sizes {old_size} and {new_size} run backwards", code="bad-sizes", old=old_size, new=new_size)
    steps: list[_Step] = []
    start, end = 0, new_size
    while old_size and end != old_size:
        middle = start + _split(end - start)
        if old_size <= middle:
            steps.append(_Step(False, middle, end))
            end = middle
        else:
            steps.append(_Step(True, start, middle))
            start = middle
    return steps[::-1]


def _consistency_roots(proof: Sequence[bytes], old_size: int, new_size: int, old_root: bytes) -> tuple[bytes, bytes]:
    """Return the two roots that a proof of the right length leads to."""
    steps, hashes = _consistency_steps(old_size, new_size), list(proof)
    # Where the old tree is itself a complete subtree of the new one, its root is known and not in the proof.
    old = new = hashes.pop(0) if any(step.is_left for step in steps) else old_root
    for sibling, step in zip(hashes, steps, strict=True):
        new = node_hash(sibling, new) if step.is_left else node_hash(new, sibling)
        if step.is_left:
            old = node_hash(sibling, old)
    return old, new


def _inclusion_ranges(index: int, size: int) -> list[tuple[int, int]]:
    """Return the leaves below each hash of an audit path."""
    return [(step.start, step.end) for step in _inclusion_steps(index, size)]


def _consistency_ranges(old_size: int, new_size: int) -> list[tuple[int, int]]:
    """Return the leaves below each hash of a consistency proof."""
    steps = _consistency_steps(old_size, new_size)
    ranges = [(step.start, step.end) for step in steps]
    borders = [step.end for step in steps if step.is_left]
    return [(borders[0], old_size), *ranges] if borders else ranges


def _nodes(ranges: Iterable[tuple[int, int]]) -> list[Node]:
    return [node for start, end in ranges for node in subtrees(start, end)]


def _split(width: int) -> int:
    """Return the largest power of two smaller than ``width`` (RFC 6962's *k*)."""
    return 1 << ((width - 1).bit_length() - 1)


def _folded(ranges: Sequence[tuple[int, int]], read: ReadHashes) -> list[bytes]:
    """Return the hash of each range of leaves, with a single call of ``read``."""
    nodes = _nodes(ranges)
    hashes = read(nodes)
    _check_hashes(hashes, len(nodes))
    rest = iter(hashes)
    return [fold([next(rest) for _ in subtrees(start, end)]) for start, end in ranges]


def fold(hashes: Sequence[bytes]) -> bytes:
    """Return the hash of a range of leaves from those of its ``subtrees``, at least one, left to right."""
    found = hashes[-1]
    for left in reversed(hashes[:-1]):
        found = node_hash(left, found)
    return found


def _check_hashes(hashes: Sequence[bytes], count: int) -> None:
    if len(hashes) != count or any(len(one) != HASH_SIZE for one in hashes):
        raise ProofError(f"{len(hashes)} hashes where {count} of 32 bytes are needed", code="proof-length", count=count)
