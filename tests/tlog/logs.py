"""Fixed keys and small logs for the tests of this room: the same bytes on every run."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from nacl.signing import SigningKey

from ledger.tlog.checkpoint import Checkpoint, format_checkpoint
from ledger.tlog.cosignature import cosign_ed25519, cosign_mldsa44, sign_note_ed25519
from ledger.tlog.merkle import Node, leaf_hash, node_hash, root_hash
from ledger.tlog.note import COSIGNATURE_ED25519, COSIGNATURE_MLDSA44, ED25519, NoteSignature, VerifierKey, make_vkey
from ledger.tlog.tiles import TILE_WIDTH, Tile, bundle_tiles, format_bundle, tile_hashes, tiles_of

ORIGIN = "ledger.example/city"
TIME = 1_763_900_000

_VECTORS = Path(os.environ.get("BENING_VECTORS", Path(__file__).parents[3] / "shared" / "vectors"))


def vectors(name: str) -> Any:
    """Return a vector file, or skip the test where the folder is not at hand."""
    path = _VECTORS / name
    if not path.is_file():
        pytest.skip(f"no vectors: {path} (set BENING_VECTORS)")
    return json.loads(path.read_text())


@dataclass(frozen=True)
class Signer:
    """An Ed25519 key of fixed seed, for notes (0x01) or cosignatures (0x04)."""

    name: str
    seed: int
    algorithm: int = ED25519

    @property
    def secret(self) -> SigningKey:
        return SigningKey(bytes([self.seed]) * 32)

    @property
    def public(self) -> bytes:
        return bytes(self.secret.verify_key)

    @property
    def vkey(self) -> VerifierKey:
        return make_vkey(self.name, self.algorithm, self.public)

    def sign(self, checkpoint: Checkpoint, time: int = TIME) -> NoteSignature:
        text, secret = format_checkpoint(checkpoint), self.secret
        sign: Callable[[bytes], bytes] = lambda message: secret.sign(message).signature  # noqa: E731
        if self.algorithm == ED25519:
            return sign_note_ed25519(sign, self.public, self.name, text)
        return cosign_ed25519(sign, self.public, self.name, text, time)


@dataclass(frozen=True)
class QuantumSigner:
    """An ML-DSA-44 key of fixed seed (0x06)."""

    name: str
    seed: int

    @property
    def vkey(self) -> VerifierKey:
        return make_vkey(self.name, COSIGNATURE_MLDSA44, _mldsa44(self.seed).public_key().public_bytes_raw())

    def sign(self, checkpoint: Checkpoint, time: int = TIME) -> NoteSignature:
        return cosign_mldsa44(_mldsa44(self.seed), self.name, checkpoint, time)


@functools.cache
def _mldsa44(seed: int) -> MLDSA44PrivateKey:
    return MLDSA44PrivateKey.from_seed_bytes(bytes([seed]) * 32)


LOG = Signer(ORIGIN, 1)
LOG_PQ_KEY = QuantumSigner(ORIGIN, 2)
WITNESSES = tuple(Signer(f"witness{number}.example", 10 + number, COSIGNATURE_ED25519) for number in range(3))
QUANTUM_WITNESS = QuantumSigner("quantum.example", 20)


@dataclass
class MemoryLog:
    """A log in memory: its hashes by the definition of RFC 6962, and the files that it would publish."""

    size: int
    leaves: list[bytes] = field(init=False)
    asked: list[Tile] = field(default_factory=list)
    changed: dict[str, Callable[[bytes], bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.leaves = [leaf_hash(entry(index)) for index in range(self.size)]

    @property
    def root(self) -> bytes:
        return root_hash(self.leaves)

    @property
    def checkpoint(self) -> Checkpoint:
        return Checkpoint(ORIGIN, self.size, self.root)

    @functools.cached_property
    def levels(self) -> list[list[bytes]]:
        levels = [self.leaves]
        while len(levels[-1]) > 1:
            below = levels[-1]
            levels.append([node_hash(below[at], below[at + 1]) for at in range(0, len(below) - 1, 2)])
        return levels

    def read(self, nodes: Sequence[Node]) -> list[bytes]:
        return [self.levels[level][index] for level, index in nodes]

    @functools.cached_property
    def files(self) -> dict[str, bytes]:
        tiles = {tile.path: tile_hashes(tile, self.read) for tile in tiles_of(self.size)}
        for tile in bundle_tiles(0, self.size):
            start = tile.index * TILE_WIDTH
            tiles[tile.path] = format_bundle([entry(index) for index in range(start, start + tile.width)])
        return tiles

    def fetch(self, tile: Tile) -> bytes:
        self.asked.append(tile)
        return self.changed.get(tile.path, bytes)(self.files[tile.path])


def entry(index: int) -> bytes:
    """Return the bytes of a log's entry; the first is empty."""
    return b"entry %d" % index * (index > 0)


def flip(data: bytes, at: int, bit: int = 0) -> bytes:
    """Return ``data`` with one bit flipped."""
    return data[:at] + bytes([data[at] ^ (1 << bit)]) + data[at + 1 :]
