"""Logs for a witness: trees of any size, honest and not, under any origin."""

from __future__ import annotations

from dataclasses import dataclass, field

from nacl.signing import SigningKey

from ledger.tlog.cosignature import sign_note_ed25519
from ledger.tlog.encoding import format_base64
from ledger.tlog.merkle import EMPTY_ROOT, Node, leaf_hash, node_hash, prove_consistency, root_hash
from ledger.tlog.note import ED25519, Note, NoteSignature, VerifierKey, format_note, make_vkey

__all__ = ["Log"]


@dataclass
class Log:
    """A log whose entries are its own numbers and ``salt``: two salts are two histories from entry ``forked`` on."""

    origin: str = "log.example/one"
    seed: int = 1
    salt: str = ""
    forked: int = 0
    leaves: list[bytes] = field(default_factory=list)

    @property
    def secret(self) -> SigningKey:
        """The log's key."""
        return SigningKey(bytes([self.seed]) * 32)

    @property
    def key(self) -> VerifierKey:
        """Its verifier key, named as its origin."""
        return make_vkey(self.origin, ED25519, bytes(self.secret.verify_key))

    def grow(self, size: int) -> None:
        """Have at least ``size`` entries."""
        for n in range(len(self.leaves), size):
            self.leaves.append(leaf_hash(f"{n} {self.salt if n >= self.forked else ''}".encode()))

    def root(self, size: int) -> bytes:
        """Return the root of the first ``size`` entries."""
        self.grow(size)
        return root_hash(self.leaves[:size]) if size else EMPTY_ROOT

    def text(self, size: int, *, root: bytes | None = None, more: str = "") -> bytes:
        """Return a checkpoint's text."""
        return f"{self.origin}\n{size}\n{format_base64(self.root(size) if root is None else root)}\n{more}".encode()

    def signature(self, text: bytes) -> NoteSignature:
        """Return the log's signature."""
        secret = self.secret
        return sign_note_ed25519(lambda message: bytes(secret.sign(message).signature), self.key.key, self.origin, text)

    def note(self, size: int, *signatures: NoteSignature, root: bytes | None = None, more: str = "") -> bytes:
        """Return a signed checkpoint; ``signatures`` take the place of its own."""
        text = self.text(size, root=root, more=more)
        return format_note(Note(text, signatures or (self.signature(text),)))

    def proof(self, old: int, new: int) -> list[bytes]:
        """Return a consistency proof."""
        self.grow(new)
        return list(prove_consistency(old, new, self._hashes)) if old else []

    def request(self, old: int, size: int, **more: str) -> bytes:
        """Return an honest request."""
        return body(old, self.proof(old, size), self.note(size, **more))

    def _hashes(self, nodes: list[Node]) -> list[bytes]:
        return [self._node(level, number) for level, number in nodes]

    def _node(self, level: int, number: int) -> bytes:
        if level == 0:
            return self.leaves[number]
        return node_hash(self._node(level - 1, 2 * number), self._node(level - 1, 2 * number + 1))


def body(old: int | str, proof: list[bytes], note: bytes) -> bytes:
    """Return the body of an ``add-checkpoint``."""
    return f"old {old}\n".encode() + b"".join(f"{format_base64(one)}\n".encode() for one in proof) + b"\n" + note
