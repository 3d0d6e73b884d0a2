"""Which file, which damage, and what became of it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ledger.publisher.home import Home

__all__ = ["AUDITED", "WEIGHTS", "Damage", "choose", "kinds_of"]

# kind of file → (how often it is chosen, where it lies; "busy" homes have write-ahead logs)
WEIGHTS = {
    "checkpoint": (4, "quiet", "public/checkpoint"),
    "bundle": (5, "quiet", "public/tile/entries/000"),
    "bundle, partial": (4, "quiet", "public/tile/entries/*.p/*"),
    "tile 0": (4, "quiet", "public/tile/0/000"),
    "tile 0, partial": (4, "quiet", "public/tile/0/*.p/*"),
    "tile 1, partial": (2, "quiet", "public/tile/1/*.p/*"),
    "roster.jsonl": (4, "quiet", "public/roster.jsonl"),
    "policy": (3, "quiet", "public/policy"),
    "policy-ed25519": (2, "quiet", "public/policy-ed25519"),
    "look-up sha256": (3, "quiet", "public/lookup/sha256/*"),
    "look-up ref": (3, "quiet", "public/lookup/ref/*"),
    "look-up number": (3, "quiet", "public/lookup/number/*"),
    "document": (4, "quiet", "public/documents/*/*"),
    "ledger.db": (26, "quiet", "ledger.db"),
    "ledger.db-wal": (8, "busy", "ledger.db-wal"),
    "inbox.db": (8, "quiet", "inbox.db"),
    "inbox.db-wal": (4, "busy", "inbox.db-wal"),
    "search.db": (6, "quiet", "search.db"),
    "search.db-wal": (2, "busy", "search.db-wal"),
    "bening.toml": (3, "quiet", "bening.toml"),
}
# What an audit reads whole; partial tiles of earlier checkpoints it has no reason to read.
AUDITED = ("checkpoint", "bundle", "roster.jsonl", "policy", "policy-ed25519", "look-up", "document")


@dataclass(frozen=True, slots=True)
class Damage:
    """A ``bit`` flipped at ``at``; or, with ``length``, so many bytes from there zeroed; or, with -1, cut off."""

    kind: str
    path: Path
    at: int
    bit: int = 0
    length: int = 0

    def __str__(self) -> str:
        what = f"bit {self.bit}" if not self.length else "cut" if self.length < 0 else f"{self.length} zeros"
        return f"{self.kind}: {self.path.name} at {self.at}: {what}"

    def of(self, data: bytes) -> bytes:
        """Return what is left of ``data``."""
        if self.length < 0:
            return data[: self.at]
        if self.length:
            return data[: self.at] + bytes(min(self.length, len(data) - self.at)) + data[self.at + self.length :]
        return data[: self.at] + bytes([data[self.at] ^ (1 << self.bit)]) + data[self.at + 1 :]


def kinds_of(quiet: Home, busy: Home) -> dict[str, list[Path]]:
    """Return the files of each kind; there is one at least."""
    homes = {"quiet": quiet, "busy": busy}
    found = {kind: sorted(homes[which].path.glob(name)) for kind, (_, which, name) in WEIGHTS.items()}
    for kind, paths in found.items():
        assert any(path.stat().st_size for path in paths), kind
    return found


def choose(rng: random.Random, files: dict[str, list[Path]], count: int, whole: float = 0.04) -> Iterator[Damage]:
    """Yield damage at random: bits, and in a share of ``whole`` zeroed blocks and cut ends."""
    kinds, weights = list(files), [WEIGHTS[kind][0] for kind in files]
    for _ in range(count):
        kind = rng.choices(kinds, weights)[0]
        path = rng.choice(files[kind])
        size = path.stat().st_size
        at = rng.randrange(size)
        if rng.random() >= whole:
            yield Damage(kind, path, at, bit=rng.randrange(8))
        elif rng.random() < 0.5:
            yield Damage(kind, path, at - at % 512 if size > 512 else at, length=512)
        else:
            yield Damage(kind, path, at, length=-1)
