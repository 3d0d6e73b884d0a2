"""An act's proof as a picture: from the entry's own code, level by level, to the code that the ledger has signed.

    the signed code                  cd764d3f…
    on each level               366cfd4a…   80d6bb6f…     ours, and the one beside it that the proof names
    this entry                  2ab391f1…   aefe3ff0…

Everything is computed again from the entry's bytes and the proof; that it arrives elsewhere is said aloud.
"""

from __future__ import annotations

from dataclasses import dataclass

from ledger.tlog.merkle import leaf_hash, node_hash
from ledger.tlog.proof import parse_proof
from web.site import Reading

__all__ = ["Box", "Line", "Picture", "Step", "picture_of", "steps_of"]

_WIDTH, _BOX, _HIGH, _ROW = 320, 146, 30, 54


@dataclass(frozen=True, slots=True)
class Step:
    """One level of the path, hashes in hex: ``ours`` as computed so far, ``beside`` from the proof, on the ``left`` or not."""

    ours: str
    beside: str
    left: bool


@dataclass(frozen=True, slots=True)
class Box:
    """A box with a code: its upper left corner, and what it is (``leaf``, ``ours``, ``beside``, ``root``)."""

    x: int
    y: int
    code: str
    kind: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line between two boxes."""

    x1: int
    y1: int
    x2: int
    y2: int


@dataclass(frozen=True, slots=True)
class Picture:
    """The drawing, the steps it shows, and the ``root`` (hex) at which they arrive; ``holds``: that is the signed one."""

    height: int
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    steps: tuple[Step, ...]
    root: str
    holds: bool


def picture_of(reading: Reading, index: int) -> Picture:
    """Return the drawing of the proof of a published entry, recomputed from its bytes."""
    hashes = parse_proof(reading.proof(index)).hashes
    steps, root = steps_of(index, reading.size, leaf_hash(reading.store.entry(index)), hashes)
    boxes, lines = _draw(steps, root)
    height = _ROW * len(steps) + _HIGH + 2
    return Picture(height, tuple(boxes), tuple(lines), tuple(steps), root, root == reading.head.root.hex())


def steps_of(index: int, size: int, leaf: bytes, hashes: tuple[bytes, ...]) -> tuple[list[Step], str]:
    """Return the levels from ``leaf`` up, and the root in hex at which they arrive (RFC 9162, section 2.1.3.2)."""
    here, last, ours = index, size - 1, leaf
    steps = []
    for beside in hashes:
        left = bool(here & 1) or here == last
        steps.append(Step(ours.hex(), beside.hex(), left))
        ours = node_hash(beside, ours) if left else node_hash(ours, beside)
        while left and here and not here & 1:
            here, last = here >> 1, last >> 1
        here, last = here >> 1, last >> 1
    return steps, ours.hex()


def _draw(steps: list[Step], root: str) -> tuple[list[Box], list[Line]]:
    """Place the leaf's level at the foot and the root at the head."""
    boxes, lines = [], []
    for level, step in enumerate(steps):
        y = _ROW * (len(steps) - level) + 1
        left, right = 1, _WIDTH - _BOX - 1
        mine = right if step.left else left
        boxes.append(Box(mine, y, step.ours, "ours" if level else "leaf"))
        boxes.append(Box(left if step.left else right, y, step.beside, "beside"))
        above = steps[level + 1] if level + 1 < len(steps) else None
        goal = (_WIDTH - _BOX) // 2 if above is None else right if above.left else left
        for x in (left, right):
            lines.append(Line(x + _BOX // 2, y, goal + _BOX // 2, y - _ROW + _HIGH))
    boxes.append(Box((_WIDTH - _BOX) // 2, 1, root, "root" if steps else "leaf"))
    return boxes, lines
