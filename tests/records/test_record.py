"""The record: every fault is named, and a later version's record is not called false."""

from __future__ import annotations

import copy
import hashlib
from typing import Any

import pytest

from ledger.errors import AdmissionError, FormatError, NewerFormatError
from ledger.records import canonical
from ledger.records.record import MAX_RECORD, RELATIONS, ROLES, check_record, parse_record
from ledger.records.refs import draw_ref

REF, OTHER = "00000000000", "00000000011"
DOCUMENT = {"sha256": "a" * 64, "size": 48213, "media_type": "application/pdf", "name": "SK-728.pdf", "role": "signed"}
WITHHELD = {"withheld": "b" * 64, "media_type": "application/pdf", "role": "extract", "reason": "data pribadi", "law": "UU 27/2022"}
RECORD: dict[str, Any] = {
    "v": 1,
    "founding": "f" * 64,
    "kind": "decision",
    "form": "sk",
    "ref": REF,
    "office": "bag-hukum",
    "number": "138/728 Tahun 2022",
    "title": "Penetapan Tim Penyusun",
    "language": "id",
    "signed_on": "2022-08-01",
    "signatories": [{"position": "Wali Kota", "capacity": "definitive"}],
    "signers": ["1" * 64],
    "documents": [DOCUMENT],
    "relations": [],
    "fields": {},
    "extra": {},
}
GONE = object()


def changed(**changes: Any) -> dict[str, Any]:
    data = {**copy.deepcopy(RECORD), **changes}
    return {key: value for key, value in data.items() if value is not GONE}


def faults(data: Any) -> list[tuple[str, str]]:
    return [(reason.code, reason.path) for reason in check_record(data)]


def test_the_example_is_a_record() -> None:
    """The example is accepted; its id is the hash of its bytes."""
    payload = canonical.dump(RECORD)
    record = parse_record(payload)
    assert record.id == hashlib.sha256(payload).hexdigest()
    assert (record.ref, record.payload, record.data) == (REF, payload, RECORD)


def test_documents_leave_out_the_withheld() -> None:
    """Only documents whose bytes are published are listed for fetching."""
    record = parse_record(canonical.dump(changed(documents=[DOCUMENT, WITHHELD])))
    assert record.documents == [DOCUMENT]


@pytest.mark.parametrize("key", sorted(RECORD))
def test_every_key_is_needed(key: str) -> None:
    """No key of the table may be left out."""
    assert faults(changed(**{key: GONE})) == [("bad-version" if key == "v" else "missing", key)]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"v": 0}, ("bad-version", "v")),
        ({"v": True}, ("bad-version", "v")),
        ({"v": "1"}, ("bad-version", "v")),
        ({"founding": "F" * 64}, ("bad-digest", "founding")),
        ({"kind": "poem"}, ("not-a-choice", "kind")),
        ({"form": "S K"}, ("bad-identifier", "form")),
        ({"ref": "0000-0000-000"}, ("bad-ref", "ref")),
        ({"ref": "00000000001"}, ("bad-ref", "ref")),
        ({"ref": None}, ("bad-ref", "ref")),
        ({"number": ""}, ("empty-or-padded", "number")),
        ({"number": None}, ("number-or-reason", "number")),
        ({"unnumbered_reason": "x"}, ("number-or-reason", "number")),
        ({"series": "sk"}, ("series-and-serial", "series")),
        ({"serial": 1}, ("series-and-serial", "series")),
        ({"title": "Warga 3273010101900001"}, ("citizen-number", "title")),
        ({"title": "x" * 1001}, ("text-too-long", "title")),
        ({"language": "ID"}, ("bad-language", "language")),
        ({"signed_on": "2022-02-30"}, ("bad-date", "signed_on")),
        ({"effective_on": "soon"}, ("bad-date", "effective_on")),
        ({"signatories": []}, ("missing", "signatories")),
        ({"signatories": [{"position": "Wali Kota", "capacity": "boss"}]}, ("not-a-choice", "signatories[0].capacity")),
        ({"signers": []}, ("bad-count", "signers")),
        ({"signers": [f"{n:064x}" for n in range(17)]}, ("bad-count", "signers")),
        ({"signers": ["2" * 64, "1" * 64]}, ("unsorted", "signers")),
        ({"signers": ["1" * 64, "1" * 64]}, ("unsorted", "signers")),
        ({"documents": []}, ("no-document", "documents")),
        ({"documents": [DOCUMENT, DOCUMENT]}, ("document-twice", "documents")),
        ({"documents": [{**DOCUMENT, "sha256": f"{n:064x}"} for n in range(65)]}, ("bad-count", "documents")),
        ({"documents": [{**DOCUMENT, "name": "../x"}]}, ("bad-file-name", "documents[0].name")),
        ({"documents": [{**DOCUMENT, "name": ".."}]}, ("bad-file-name", "documents[0].name")),
        ({"documents": [{**DOCUMENT, "name": "a\\b"}]}, ("bad-file-name", "documents[0].name")),
        ({"documents": [{**DOCUMENT, "name": "KTP 3273010101900001.pdf"}]}, ("citizen-number", "documents[0].name")),
        ({"documents": [{**DOCUMENT, "size": -1}]}, ("bad-number", "documents[0].size")),
        ({"documents": [{**DOCUMENT, "role": "poem"}]}, ("not-a-choice", "documents[0].role")),
        ({"documents": [{**WITHHELD, "law": GONE}]}, ("not-text", "documents[0].law")),
        ({"documents": [{**WITHHELD, "sha256": "a" * 64}]}, ("unknown-key", "documents[0].sha256")),
        ({"relations": [{"type": "amends", "ref": REF}]}, ("relation-to-itself", "relations[0]")),
        ({"relations": [{"type": "follows", "ref": OTHER}] * 2}, ("relation-twice", "relations[1]")),
        ({"relations": [{"type": "corrects", "ref": OTHER}]}, ("missing", "relations[0].reason")),
        ({"relations": [{"type": "same_number_as", "ref": OTHER}]}, ("missing", "relations[0].reason")),
        ({"relations": [{"type": "amends", "ref": "x"}]}, ("bad-ref", "relations[0].ref")),
        ({"relations": [{"type": "amends"}]}, ("missing", "relations[0].ref")),
        ({"relations": [{"type": "replaces", "ref": OTHER}]}, ("not-a-choice", "relations[0].type")),
        ({"relations": [{"type": "implements", "outside": {"number": "23", "url": "ftp://x"}}]}, ("bad-url", "relations[0].outside.url")),
        ({"fields": []}, ("not-an-object", "fields")),
        ({"extra": []}, ("not-an-object", "extra")),
        ({"extra": {f"k{n}": "x" for n in range(33)}}, ("bad-count", "extra")),
        ({"extra": {"k": 1}}, ("not-text", "extra.k")),
        ({"extra": {"k": "3273010101900001"}}, ("citizen-number", "extra.k")),
        ({"note": "x"}, ("unknown-key", "note")),
    ],
)
def test_each_fault_is_named(changes: dict[str, Any], expected: tuple[str, str]) -> None:
    """Each fault comes with its code and place, alone."""
    assert expected in faults(changed(**changes))
    assert len(faults(changed(**changes))) <= 2


def test_all_faults_at_once() -> None:
    """A clerk learns of every fault in one answer."""
    found = faults(changed(form="S K", signed_on="x", title="", kind="order"))
    assert {code for code, _ in found} >= {"bad-identifier", "bad-date", "empty-or-padded", "missing"}


def test_a_void_or_a_correction_needs_no_document() -> None:
    """Documents may be empty only where the record corrects or voids."""
    correction = {"type": "corrects", "ref": OTHER, "reason": "salah ketik"}
    assert faults(changed(documents=[], relations=[correction])) == []
    void = {"series": "sk", "serials": [1], "reason": "unused"}
    assert faults(changed(kind="void", fields=void, documents=[], signatories=[])) == []
    assert faults(changed(documents=[], relations=[{"type": "amends", "ref": OTHER}])) == [("no-document", "documents")]


def test_one_correction_at_a_time() -> None:
    """A record replaces one act, not two."""
    both = [{"type": "corrects", "ref": ref, "reason": "x"} for ref in (OTHER, "0000000001Z")]
    assert ("two-corrections", "relations") in faults(changed(relations=[both[0], {**both[1], "ref": draw_ref()}]))


def test_changes_only_in_an_amendment() -> None:
    """``changes`` says what an addendum changed, so there is an act that it amends."""
    fields = {"value": "1", "currency": "IDR", "supplier": {"name": "A"}, "changes": [{"field": "value", "was": "1", "becomes": "2"}]}
    assert faults(changed(kind="contract", fields=fields)) == [("changes-without-amends", "fields.changes")]
    assert faults(changed(kind="contract", fields=fields, relations=[{"type": "amends", "ref": OTHER}])) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"v": 2},
        {"note": "x"},
        {"kind": "poem"},
        {"relations": [{"type": "replaces", "ref": OTHER}]},
        {"documents": [{**DOCUMENT, "role": "hologram"}]},
        {"documents": [{**DOCUMENT, "sha512": "x"}]},
        {"fields": {"mood": "x"}},
        {"signatories": [{"position": "Wali Kota", "capacity": "regent"}]},
    ],
)
def test_a_later_version_is_not_called_false(changes: dict[str, Any]) -> None:
    """An unknown version, key, kind, role or relation is refused at admission, and *not checked* for a reader."""
    with pytest.raises(NewerFormatError):
        parse_record(canonical.dump(changed(**changes)))


def test_ordinary_faults_are_refusals() -> None:
    """A known version with a fault is refused with its reasons; bytes that are not canonical are a format error."""
    with pytest.raises(AdmissionError) as caught:
        parse_record(canonical.dump(changed(form="S K")))
    assert [reason.code for reason in caught.value.reasons] == ["bad-identifier"]
    for payload in (b"", b"[]"[:1], canonical.dump(RECORD) + b"\n", b" " * (MAX_RECORD + 1)):
        with pytest.raises(FormatError):
            parse_record(payload)
    for value in ([], None, 1, "x"):
        with pytest.raises(AdmissionError):
            parse_record(canonical.dump(value))


def test_the_limit() -> None:
    """32 KiB and not a byte more."""
    filler = {f"k{n:02d}": "x" * 900 for n in range(32)}
    size = len(canonical.dump(changed(extra=filler)))
    room = MAX_RECORD - size
    filler["k00"] += "x" * room
    assert room < 4000
    assert parse_record(canonical.dump(changed(extra=filler))).data["extra"] == filler
    filler["k00"] += "x"
    with pytest.raises(FormatError):
        parse_record(canonical.dump(changed(extra=filler)))


def test_roles_and_relations_of_the_design() -> None:
    """The design's names are all there."""
    assert set(RELATIONS) == set("amends corrects revokes annuls implements completes follows annex_of same_number_as".split())
    assert set("signed certified-copy extract annex boq minutes translation scan text source".split()) <= set(ROLES)
