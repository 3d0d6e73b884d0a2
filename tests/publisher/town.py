"""A small town with a ledger of its own: keys without passphrases, two offices, a few forms."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ledger.desk.roster_file import draft_payloads
from ledger.keyfile import PrivateKey, load_log_keys, load_private, new_key, new_log_keys
from ledger.publisher.founding import draft_founding, found
from ledger.publisher.handover import Outcome, Submission, hand_over
from ledger.publisher.home import Home
from ledger.publisher.state import open_state
from ledger.records import canonical
from ledger.records.envelope import Envelope, add_signature
from ledger.records.record import RECORD_TYPE
from ledger.records.refs import draw_ref

ORIGIN = "ledger.test/town"


class Town:
    """Keys by name in ``keys``; ``home`` is its ledger."""

    def __init__(self, folder: Path, *, authorities: int = 1, threshold: int = 1, **founding: Any) -> None:
        self.folder = folder
        self.keys: dict[str, PrivateKey] = {}
        self.authority = [self.key(f"authority-{n}") for n in range(authorities)]
        new_log_keys(folder / "log.pem", None, unencrypted=True)
        envelope = draft_founding(
            origin=ORIGIN,
            name="Kota Uji",
            utc_offset="+07:00",
            languages=["id", "en"],
            authority=[one.public.spki_base64() for one in self.authority],
            threshold=threshold,
            vkeys=load_log_keys(folder / "log.pem", None).vkeys(ORIGIN),
        )
        for one in self.authority:
            envelope = add_signature(envelope, one.public.keyid, one.sign)
        self.home = found(folder / "home", envelope, log_keys=[folder / "log.pem"], keys=no_passphrase, **founding)

    def key(self, name: str) -> PrivateKey:
        """Return the key of that name, made at its first use."""
        if name not in self.keys:
            new_key(self.folder / f"{name}.pem", None, unencrypted=True)
            self.keys[name] = load_private(self.folder / f"{name}.pem", None)
        return self.keys[name]

    def enrolment(self, name: str, **fields: Any) -> dict[str, Any]:
        """Return an enrolment of the key ``name`` for the legal office and its papers."""
        usual = {"holder": name, "position": name, "offices": ["hukum"], "kinds": ["decision", "void"], "from": "2020-01-01"}
        return {"event": "enrol", "key": self.key(name).public.spki_base64(), **usual, **fields}

    def roster(self, *events: dict[str, Any], signers: Sequence[PrivateKey] | None = None) -> list[Outcome]:
        """Submit events, signed by every authority key (or ``signers``) and every key that they enrol."""
        return self.submit(*self.roster_envelopes(*events, signers=signers))

    def roster_envelopes(self, *events: dict[str, Any], signers: Sequence[PrivateKey] | None = None) -> list[Envelope]:
        """Return the signed payloads of events."""
        with open_state(self.home) as state:
            drafts = draft_payloads(state.roster, list(events))
        new = {key for event in events for key in ([event["key"]] if event["event"] == "enrol" else event.get("keys", []))}
        people = {one.public.keyid: one for one in (signers if signers is not None else self.authority)}
        people |= {one.public.keyid: one for one in self.keys.values() if one.public.spki_base64() in new}
        return [self.signed(draft, people.values()) for draft in drafts]

    @staticmethod
    def signed(envelope: Envelope, people: Any) -> Envelope:
        """Return ``envelope`` signed by ``people``."""
        for one in people:
            envelope = add_signature(envelope, one.public.keyid, one.sign)
        return envelope

    def settle_in(self) -> None:
        """Declare the offices and forms, and enrol the head of the legal office."""
        self.roster(
            {"event": "office", "id": "setda", "name": "Sekretariat Daerah"},
            {"event": "office", "id": "hukum", "name": "Bagian Hukum", "parent": "setda"},
            {"event": "office", "id": "tani", "name": "Dinas Pertanian", "parent": "setda"},
            {"event": "form", "id": "sk", "kind": "decision", "name": "Keputusan"},
            {"event": "form", "id": "void", "kind": "void", "name": "Penjelasan nomor"},
            self.enrolment("head"),
        )

    def record(self, document: bytes | None, **changes: Any) -> dict[str, Any]:
        """Return a record of the legal office by its head; ``document`` are the bytes of its one document."""
        signers = sorted(self.key(name).public.keyid for name in changes.pop("by", ["head"]))
        documents = []
        if document is not None:
            documents.append({**self.file(document), "media_type": "application/pdf", "name": "sk.pdf", "role": "signed"})
        usual = {
            "v": 1,
            "founding": self.home.founding,
            "kind": "decision",
            "form": "sk",
            "ref": draw_ref(),
            "office": "hukum",
            "number": f"138/{hashlib.sha256(document or b'').hexdigest()[:6]} Tahun 2026",
            "title": "Penetapan",
            "language": "id",
            "signed_on": "2026-11-01",
            "signatories": [{"position": "Wali Kota", "capacity": "definitive"}],
            "signers": signers,
            "documents": documents,
            "relations": [],
            "fields": {},
            "extra": {},
        }
        return {**usual, **changes}

    def file(self, data: bytes) -> dict[str, Any]:
        """Write a document and return its hash and size as a record states them."""
        sha256 = hashlib.sha256(data).hexdigest()
        (self.folder / sha256).write_bytes(data)
        return {"sha256": sha256, "size": len(data)}

    def act(self, document: bytes | None = b"%PDF-1.4 one", **changes: Any) -> Submission:
        """Return a signed act with its document."""
        by = changes.get("by", ["head"])
        record = self.record(document, **changes)
        envelope = self.signed(Envelope(RECORD_TYPE, canonical.dump(record), ()), [self.key(name) for name in by])
        return Submission(envelope, {one["sha256"]: self.folder / one["sha256"] for one in record["documents"] if "sha256" in one})

    def submit(self, *acts: Submission | Envelope, **options: Any) -> list[Outcome]:
        """Hand acts over and return what became of them."""
        wrapped = [act if isinstance(act, Submission) else Submission(act) for act in acts]
        return hand_over(self.home, wrapped, keys=no_passphrase, **options)

    def published(self, document: bytes, **changes: Any) -> Outcome:
        """Publish one act that must be admitted."""
        outcome = self.submit(self.act(document, **changes))[0]
        assert outcome.index is not None, outcome.reasons
        return outcome


def no_passphrase(path: Path) -> None:
    """These keys are not encrypted."""


def codes(outcome: Outcome) -> set[str]:
    """Return the codes of a refusal."""
    return {reason.code for reason in outcome.reasons}


def reopened(town: Town) -> Home:
    """Return the home as a new process finds it."""
    return Home.open(town.home.path)
