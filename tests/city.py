"""A city in a folder: founds a ledger, publishes acts and writes its public folder, by ``tlog`` and ``records`` only.

    city = City(tmp_path / "kota")
    record, index = city.publish(documents={"sk.pdf": b"%PDF ..."}, title="Penetapan ...")
    city.office("dinas-pu", "Dinas PU"); city.roster_event({"event": "retire", "key": city.clerk})
    city.write()                                  # tmp_path / "kota" is now what a static server would serve
    city.policy, city.founding, city.proof(index) # what a reader pins, and the proof that a clerk hands out

Keys come from fixed seeds and the clock is set, so that the same calls make the same bytes. Everything is judged as an
honest publisher would (``check=False`` admits what should not be). To lie: change ``city.entries`` before ``write()``,
``city.write(size=n)`` (roll back), ``city.fork()`` (another history under the same keys), or change the written files.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import hashlib
import http.server
import shutil
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from nacl.signing import SigningKey

from ledger.index import SCHEMA, Index, look_up_values
from ledger.keys import PublicKey
from ledger.records import canonical
from ledger.records.entry import Entry, dump_entry, first_prev, format_time, parse_entry, parse_time
from ledger.records.envelope import Envelope, add_signature, dump_envelope
from ledger.records.events import ROSTER_TYPE
from ledger.records.record import RECORD_TYPE, Record, parse_record
from ledger.records.refs import draw_ref
from ledger.records.replay import judge
from ledger.records.roster import Roster, apply_roster
from ledger.tlog.checkpoint import Checkpoint, format_checkpoint
from ledger.tlog.cosignature import cosign_ed25519, cosign_mldsa44, sign_note_ed25519
from ledger.tlog.encoding import format_base64
from ledger.tlog.merkle import Frontier, leaf_hash, prove_inclusion, root_hash
from ledger.tlog.note import (
    COSIGNATURE_ED25519,
    COSIGNATURE_MLDSA44,
    ED25519,
    Note,
    VerifierKey,
    format_note,
    format_vkey,
    make_vkey,
)
from ledger.tlog.policy import Witness, format_policy, format_policy_ed25519
from ledger.tlog.proof import Proof, format_proof
from ledger.tlog.tiles import TILE_WIDTH, Tile, bundle_tiles, format_bundle, tiles_of

__all__ = ["City", "Keys", "keyid_of", "serve", "signing_key", "spki_of", "witness_vkey"]

_SPKI = bytes.fromhex("302a300506032b6570032100")
START = "2026-01-05T02:00:00Z"


def signing_key(name: str) -> SigningKey:
    """Return the Ed25519 key that ``name`` always has in tests."""
    return SigningKey(hashlib.sha256(b"bening test " + name.encode()).digest())


def public_of(key: SigningKey) -> PublicKey:
    """Return the public key of ``key``."""
    return PublicKey.from_raw(bytes(key.verify_key))


def keyid_of(key: SigningKey) -> str:
    """Return the hex SHA-256 of the key's DER SubjectPublicKeyInfo."""
    return hashlib.sha256(_SPKI + bytes(key.verify_key)).hexdigest()


def spki_of(key: SigningKey) -> str:
    """Return the key's DER SubjectPublicKeyInfo in base64."""
    return format_base64(_SPKI + bytes(key.verify_key))


class Keys:
    """The log's two keys, from a seed name."""

    def __init__(self, origin: str, seed: str = "log") -> None:
        self.origin = origin
        self.ed25519 = signing_key(seed)
        self.mldsa44 = MLDSA44PrivateKey.from_seed_bytes(hashlib.sha256(b"bening pq " + seed.encode()).digest())

    @property
    def public(self) -> tuple[VerifierKey, VerifierKey]:
        """The Ed25519 and the ML-DSA-44 verifier key."""
        return (
            make_vkey(self.origin, ED25519, bytes(self.ed25519.verify_key)),
            make_vkey(self.origin, COSIGNATURE_MLDSA44, self.mldsa44.public_key().public_bytes_raw()),
        )

    @property
    def vkeys(self) -> list[str]:
        """Both as text."""
        return [format_vkey(key) for key in self.public]


class City:
    """One ledger and its whole staff; see the module. ``entries`` and ``documents`` are what ``write`` publishes."""

    def __init__(self, path: Path, *, origin: str = "bening.example/kota", name: str = "Kota Contoh", seed: str = "log",
                 witnesses: tuple[str, ...] = ()) -> None:  # fmt: skip
        self.path, self.origin, self.now = path, origin, parse_time(START)
        self.entries: list[bytes] = []
        self.documents: dict[str, bytes] = {}
        self.envelopes: list[Envelope] = []
        self.records: dict[int, Record] = {}
        self.rosters: list[Roster] = []
        self.roster = Roster()
        self.keys = Keys(origin, seed)
        self.all_keys = {self.keys.vkeys[0]: self.keys}
        self.witnesses = {one: signing_key(f"witness {one}") for one in witnesses}
        self.signing: dict[str, SigningKey] = {}
        self.drawn_refs = 0
        self.notes: dict[Checkpoint, bytes] = {}
        self.authority = [self._new_key("authority 1"), self._new_key("authority 2")]
        self.acts = _index()
        self._drawn = 0
        self._found(name)

    # -- what happens in the city

    def office(self, office: str, name: str | None = None, parent: str | None = None) -> int:
        """Add an office; return the roster event's index."""
        return self.roster_event({"event": "office", "id": office, "name": name or office.title(), "parent": parent})

    def enrol(self, holder: str, offices: list[str], *, kinds: list[str] | None = None, begins: str = "2026-01-01",
              until: str | None = None, position: str = "Kepala Bagian", check: bool = True) -> str:  # fmt: skip
        """Enrol a new key of ``holder``; return its keyid, which ``publish(signers=[...])`` takes."""
        keyid = self._new_key(holder)
        event = {"event": "enrol", "key": spki_of(self.signing[keyid]), "holder": holder, "position": position}
        event |= {"offices": offices, "kinds": kinds or ["decision", "contract", "void"], "from": begins, "until": until}
        self.roster_event(event, signers=[keyid], check=check)
        return keyid

    def roster_event(self, *events: dict[str, Any], signers: list[str] = [], check: bool = True) -> int:  # noqa: B006
        """Append one roster payload of these events, signed by the authority and ``signers``; return its index."""
        payload = {"v": 1, "n": self.roster.n + 1, "prev_roster": self.roster.hash, "events": list(events)}
        if self.roster.founding:
            payload["founding"] = self.roster.founding
        return self.append(self.sign(ROSTER_TYPE, payload, [*self.authority, *signers]), check=check)

    def publish(self, *, documents: Mapping[str, bytes] | None = None, signers: list[str] | None = None, check: bool = True,
                **overrides: Any) -> tuple[Record, int]:  # fmt: skip
        """Sign and append a record of ``documents`` (name: bytes), its fields replaced by ``overrides``."""
        record = self.record(documents=documents, signers=signers, **overrides)
        return record, self.append(self.sign(RECORD_TYPE, record.data, record.data["signers"]), check=check)

    def record(self, *, documents: Mapping[str, bytes] | None = None, signers: list[str] | None = None,
               **overrides: Any) -> Record:  # fmt: skip
        """Return a record that nobody has signed yet; its documents are added to the city's."""
        self._drawn += 1
        files = {f"dokumen-{self._drawn}.pdf": b"%%PDF-1.7 %d" % self._drawn} if documents is None else documents
        data: dict[str, Any] = {
            "v": 1, "founding": self.founding, "kind": "decision", "form": "sk", "ref": self.draw_ref(), "office": "setda",
            "number": f"188/{self._drawn} Tahun 2026", "title": f"Penetapan nomor {self._drawn}", "language": "id",
            "signed_on": "2026-01-04", "signatories": [{"position": "Wali Kota", "name": "Contoh", "capacity": "definitive"}],
            "signers": sorted(signers or [self.clerk]), "documents": [], "relations": [], "fields": {}, "extra": {},
        }  # fmt: skip
        for name, body in files.items():
            sha256 = hashlib.sha256(body).hexdigest()
            self.documents[sha256] = body
            document = {"sha256": sha256, "size": len(body), "media_type": "application/pdf", "name": name, "role": "signed"}
            data["documents"].append(document)
        data["documents"] += overrides.pop("withheld", [])
        return parse_record(canonical.dump({**data, **overrides}))

    def sign(self, payload_type: str, payload: Any, keyids: list[str]) -> Envelope:
        """Return an envelope of ``payload`` signed by these keys."""
        envelope = Envelope(payload_type, canonical.dump(payload), ())
        for keyid in keyids:
            envelope = add_signature(envelope, keyid, lambda text, key=self.signing[keyid]: bytes(key.sign(text).signature))  # type: ignore[misc]
        return envelope

    def append(self, envelope: Envelope, *, check: bool = True) -> int:
        """Append any envelope as the next entry, a minute later; return its index."""
        index, self.now = len(self.entries), self.now + 60
        time = format_time(self.now)
        if check:
            reasons = judge(self.roster, self.acts, envelope, index=index, time=time)
            assert not reasons, [str(one) for one in reasons]
        self.entries.append(dump_entry(Entry(envelope, self._prev(), self.roster.hash, time)))
        if envelope.payload_type == ROSTER_TYPE:
            self.roster = apply_roster(self.roster, envelope, index=index)
            self.envelopes.append(envelope)
            self.rosters.append(self.roster)
        elif envelope.payload_type == RECORD_TYPE:
            self.records[index] = parse_record(envelope.payload)
            if self.acts.by_ref(self.records[index].ref) is None:
                self.acts.add(self.records[index], index=index, time=time)
        return index

    def rotate_log_keys(self, seed: str, *, overlap: int = 1) -> int:
        """Announce new log keys, from the next size on; both sign until ``overlap`` sizes later. Return the event's index."""
        new, size = Keys(self.origin, seed), len(self.entries) + 1
        event = {"event": "log_key", "vkeys": new.vkeys, "from_size": size, "overlap_until_size": size + overlap}
        index = self.roster_event(event)
        self.keys = self.all_keys[new.vkeys[0]] = new
        return index

    def draw_ref(self) -> str:
        """Return the next reference of a fixed sequence."""
        self.drawn_refs += 1
        seed, count = f"{self.origin} {self.drawn_refs}", iter(range(1000))
        return draw_ref(lambda bits: int.from_bytes(hashlib.sha256(f"{seed} {next(count)}".encode()).digest()) >> (256 - bits))

    # -- what readers are given

    @property
    def founding(self) -> str:
        """The founding's hash."""
        return self.roster.founding

    @property
    def policy(self) -> bytes:
        """The policy file."""
        return self.policy_file()

    def policy_file(self, *, post_quantum: bool = True) -> bytes:
        """Return the policy; without ``post_quantum`` the one for readers that know Ed25519 only."""
        log, pq = self.keys.public
        witnesses = [Witness(name, witness_vkey(name), None) for name in self.witnesses]
        if not post_quantum:
            return format_policy_ed25519(log, self.founding, witnesses, len(witnesses))
        return format_policy(log, pq, self.founding, witnesses, len(witnesses))

    def checkpoint(self, size: int | None = None) -> bytes:
        """Return the signed checkpoint of ``size`` (all entries if None), cosigned by every witness."""
        count = len(self.entries) if size is None else size
        checkpoint = Checkpoint(self.origin, count, root_hash([leaf_hash(one) for one in self.entries[:count]]))
        return self.sign_checkpoint(checkpoint)

    def sign_checkpoint(self, checkpoint: Checkpoint) -> bytes:
        """Return the signed note of a checkpoint, true or not; the same note again (ML-DSA signatures are random)."""
        if checkpoint not in self.notes:
            self.notes[checkpoint] = self._sign_checkpoint(checkpoint)
        return self.notes[checkpoint]

    def _sign_checkpoint(self, checkpoint: Checkpoint) -> bytes:
        text, signatures = format_checkpoint(checkpoint), []
        for keys in [self.all_keys[one.vkeys[0]] for one in self.roster.log_keys_at(checkpoint.size)]:
            signatures.append(sign_note_ed25519(_signer(keys.ed25519), bytes(keys.ed25519.verify_key), self.origin, text))
            signatures.append(cosign_mldsa44(keys.mldsa44, self.origin, checkpoint, self.now))
        for name, key in self.witnesses.items():
            signatures.append(cosign_ed25519(_signer(key), bytes(key.verify_key), f"{name}.example", text, self.now))
        return format_note(Note(text, tuple(signatures)))

    def proof(self, index: int, size: int | None = None) -> bytes:
        """Return the ``.tlog-proof`` of an entry."""
        count = len(self.entries) if size is None else size
        leaves = [leaf_hash(one) for one in self.entries[:count]]
        hashes = prove_inclusion(index, count, lambda nodes: [root_hash(leaves[i << n : (i + 1) << n]) for n, i in nodes])
        return format_proof(Proof(index, tuple(hashes), self.checkpoint(count), self.entries[index]))

    def write(self, *, size: int | None = None, checkpoint: bool = True) -> Path:
        """Write the public folder anew, of the first ``size`` entries; ``checkpoint=False`` keeps the one that is there."""
        count = len(self.entries) if size is None else size
        note = (self.path / "checkpoint").read_bytes() if not checkpoint else self.checkpoint(count)
        shutil.rmtree(self.path, ignore_errors=True)
        files: dict[str, bytes] = {"checkpoint": note, "policy": self.policy}
        files["policy-ed25519"] = self.policy_file(post_quantum=False)
        files["roster.jsonl"] = b"".join(dump_envelope(one) + b"\n" for one in self._envelopes_before(count))
        kept = {code: body for code, body in self.documents.items() if code not in self.roster.withdrawn}
        files |= {f"documents/{code[:2]}/{code}": body for code, body in kept.items()}
        files |= self._tiles(count) | self._buckets(count)
        for name, body in files.items():
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            (self.path / name).write_bytes(body)
        return self.path

    def fork(self, path: Path, size: int | None = None) -> City:
        """Return another city with the same keys and the same first ``size`` entries, to let it tell another story."""
        size = len(self.entries) if size is None else size
        other = copy.copy(self)
        other.path, other.acts = path, _index()
        for name in ("entries", "documents", "envelopes", "records", "rosters", "signing", "notes"):
            setattr(other, name, copy.copy(getattr(self, name)))
        other.entries = self.entries[:size]
        other.records = {index: record for index, record in self.records.items() if index < size}
        other.envelopes = self._envelopes_before(size)
        other.rosters = self.rosters[: len(other.envelopes)]
        other.roster = other.rosters[-1]
        for index, record in other.records.items():
            other.acts.add(record, index=index, time=parse_entry(self.entries[index]).time)
        return other

    # -- inner workings

    def _found(self, name: str) -> None:
        keys = [spki_of(self.signing[one]) for one in self.authority]
        event: dict[str, Any] = {"event": "founding", "origin": self.origin, "name": name, "utc_offset": "+07:00"}
        event |= {"languages": ["id"], "authority": {"keys": keys, "threshold": 2}, "log": {"vkeys": self.keys.vkeys}}
        self.roster_event(event)
        self.roster_event(
            {"event": "office", "id": "setda", "name": "Sekretariat Daerah", "parent": None},
            {"event": "form", "id": "sk", "kind": "decision", "name": "Keputusan Wali Kota", "law": None},
            {"event": "form", "id": "spk", "kind": "contract", "name": "Surat Perintah Kerja", "law": None},
        )
        self.clerk = self.enrol("Bagian Hukum", ["setda"])

    def _new_key(self, name: str) -> str:
        key = signing_key(name)
        self.signing[keyid_of(key)] = key
        return keyid_of(key)

    def _prev(self) -> str:
        return leaf_hash(self.entries[-1]).hex() if self.entries else first_prev(self.origin)

    def _envelopes_before(self, count: int) -> list[Envelope]:
        known = {one.id: one for one in self.envelopes}
        payloads = (parse_entry(one).envelope.id for one in self.entries[:count])
        return [known[one] for one in payloads if one in known]

    def _tiles(self, count: int) -> dict[str, bytes]:
        files = {}
        for tile in bundle_tiles(0, count):
            start = tile.index * TILE_WIDTH
            files[tile.path] = format_bundle(self.entries[start : start + tile.width])
        level = [leaf_hash(one) for one in self.entries[:count]]
        for tile in tiles_of(count):
            files[tile.path] = b"".join(_node(level, tile, place) for place in range(tile.width))
        return files

    def _buckets(self, count: int) -> dict[str, bytes]:
        lines: dict[str, list[tuple[int, str]]] = {}
        for index, record in self.records.items():
            for kind, prefix, value in look_up_values(record) if index < count else ():
                lines.setdefault(f"lookup/{kind}/{prefix}", []).append((index, value))
        return {path: "".join(f"{value} {index}\n" for index, value in sorted(rows)).encode() for path, rows in lines.items()}


@contextlib.contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Serve ``folder`` as any static server would, on a free port; yield its URL."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        """Say nothing."""


def _node(leaves: list[bytes], tile: Tile, place: int) -> bytes:
    width = TILE_WIDTH**tile.level
    start = (tile.index * TILE_WIDTH + place) * width
    return Frontier.empty().extend(leaves[start : start + width]).root()


def _index() -> Index:
    connection = sqlite3.connect(":memory:")
    connection.executescript(SCHEMA)
    return Index(connection)


def _signer(key: SigningKey) -> Any:
    return lambda text: bytes(key.sign(text).signature)


def witness_vkey(name: str) -> VerifierKey:
    """Return the verifier key of the witness ``name``."""
    return make_vkey(f"{name}.example", COSIGNATURE_ED25519, bytes(signing_key(f"witness {name}").verify_key))
