"""Small true examples of every format, from which fuzzing begins; made, never copied."""

from __future__ import annotations

import io
from pathlib import Path

from nacl.signing import SigningKey

from ledger.publisher.home import format_settings
from ledger.publisher.store import Store
from ledger.records.entry import parse_entry
from ledger.records.envelope import dump_envelope
from ledger.tlog.checkpoint import Checkpoint, format_checkpoint
from ledger.tlog.conviction import OTHER_HISTORY, SAME_SIZE, Conviction, format_conviction
from ledger.tlog.cosignature import sign_note_ed25519
from ledger.tlog.merkle import leaf_hash, root_hash
from ledger.tlog.note import ED25519, Note, format_note, make_vkey, parse_note
from ledger.tlog.policy import parse_policy
from ledger.verifier.bundle import make_bundle
from ledger.verifier.reader import open_ledger
from ledger.verifier.sources import FolderSource
from tests.publisher.town import Town

__all__ = ["examples"]

_MAP = b"""[constants]
kind = "contract"
[columns]
number = "nomor"
signed_on = { column = "tanggal", date = ["long"] }
"fields.value" = { column = "nilai", money = "rupiah" }
office = { column = "unit", table = "offices" }
title = { template = "{jenis} {nama}" }
[tables.offices]
"5.02" = "keuangan"
[[signatories]]
position = "PPK"
[[when]]
if = { column = "addendum", equals = true }
set = { form = "addendum" }
relation = { type = "amends", earlier = "same-number" }
[[refuse]]
if = { column = "nilai", above = "pagu" }
id = "a"
en = "b"
"""
_ROSTER_FILE = b"""[[office]]
id = "hukum"
name = "Bagian Hukum"
[[office]]
id = "tani"
parent = "hukum"
name = "Dinas Pertanian"
[[form]]
id = "sk"
kind = "decision"
name = "Keputusan"
[[duty]]
office = "hukum"
forms = ["sk"]
from = 2026-01-01
"""
_FORM = b"""multipart/form-data; boundary="b"
--b\r\nContent-Disposition: form-data; name="envelope"\r\n\r\n{}\r\n--b\r
Content-Disposition: form-data; name="document"; filename="a"\r\nContent-Type: a/b\r\n\r\n%PDF\r\n--b--\r\n"""
_QUERY = b"q=trotoar+%22jalan+merdeka%22+600.1%2F31%2FSPK&kind=contract&office=a&since=2025-01-01&until=2026-02-03&sort=-value"
_CONFIG = b'default = "kota"\n[ledgers]\nkota = "/srv/kota"\n[person]\noffice = "hukum"\n'


def examples(folder: Path) -> dict[str, list[bytes]]:
    """Return inputs by target, from a small ledger that is made in ``folder``."""
    town = Town(folder)
    town.settle_in()
    proof = town.published(b"%PDF-1.4 example").proof or b""
    public = town.home.public
    with Store(town.home, read_only=True) as store:
        entries = store.entries(0, 3)
    envelopes = [parse_entry(one).envelope for one in entries]
    note = (public / "checkpoint").read_bytes()
    policy = parse_policy((public / "policy").read_bytes())
    view = open_ledger(FolderSource(public), policy, town.home.founding)
    make_bundle(view, [2], folder / "bukti.zip")
    return {
        "note": [note, b"text\n\n\xe2\x80\x94 a AAAAAAA=\n"],
        "checkpoint": [parse_note(note).text],
        "vkey": [one.encode() for one in _vkeys(public)],
        "proof": [proof],
        "conviction": _convictions(),
        "policy": [(public / name).read_bytes() for name in ("policy", "policy-ed25519")],
        "envelope": [dump_envelope(one) for one in envelopes],
        "record": [envelopes[2].payload],
        "roster": [one.payload for one in envelopes[:2]],
        "entry": entries,
        "bundle": [b"\x03" + (public / "tile/entries/000.p/3").read_bytes()],
        "evidence": [(folder / "bukti.zip").read_bytes()],
        "tile-path": [b"tile/0/000.p/3", b"tile/entries/x001/234", b"tile/2/x001/x234/067"],
        "map": [_MAP],
        "table": [b'\x00{"a":1,"b":{"c":"d"}}\n', b"\x01nomor;nilai\r\n1/X;\"2,5\"\r\n", b"\x02" + _workbook()],
        "settings": [format_settings("ledger.test/town", town.home.founding, ["log.pem"], "https://x.test").encode()],
        "config": [_CONFIG],
        "roster-file": [_ROSTER_FILE],
        "form": [_FORM],
        "query": [_QUERY],
        "reference": [b"19JV-NJXP-QJS", b"19jvnjxpqjs"],
    }


def _convictions() -> list[bytes]:
    """Two stories of one log under one key: of one size, and the second longer."""
    key, leaves = SigningKey(bytes(32)), [leaf_hash(b"%d" % number) for number in range(5)]
    name, public = "ledger.test/town", bytes(key.verify_key)
    notes = []
    for story in (leaves[:2], leaves[1:3], leaves[1:]):
        text = format_checkpoint(Checkpoint(name, len(story), root_hash(story)))
        line = sign_note_ed25519(lambda message: bytes(key.sign(message).signature), public, name, text)
        notes.append(format_note(Note(text, (line,))))
    keys, rest = (make_vkey(name, ED25519, public),), root_hash(leaves[3:])
    longer = Conviction(OTHER_HISTORY, keys, (root_hash(leaves[1:3]), rest), notes[0], notes[2])
    return [format_conviction(one) for one in (Conviction(SAME_SIZE, keys, (), notes[0], notes[1]), longer)]


def _vkeys(public: Path) -> list[str]:
    lines = (public / "policy").read_text("utf-8").split("\n")
    return [line.split(" ")[-1] for line in lines if line.startswith(("log ", "witness "))]


def _workbook() -> bytes:
    from openpyxl import Workbook

    book, file = Workbook(), io.BytesIO()
    book.active.append(["nomor", "nilai"])
    book.active.append(["1/X", 25])
    book.save(file)
    return file.getvalue()
