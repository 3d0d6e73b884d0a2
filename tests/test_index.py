"""The index: what was added is found again by reference, id, number, document and relation, and in its look-up buckets."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path

import pytest

from ledger.index import Batch, Index, look_up_values
from ledger.records.numbers import number_hash
from ledger.records.record import Record
from tests.city import City


@pytest.fixture
def city(tmp_path: Path) -> City:
    """A city with three acts: one, one that amends it with the same document, one without a number."""
    city = City(tmp_path / "kota")
    first, _ = city.publish(documents={"a.pdf": b"a", "b.pdf": b"b"}, number="188/1 Tahun 2026")
    city.publish(documents={"a.pdf": b"a"}, relations=[{"type": "amends", "ref": first.ref}])
    city.publish(number=None, unnumbered_reason="belum", relations=[{"type": "follows", "ref": first.ref}])
    return city


def test_found_again(city: City) -> None:
    """One act by its reference, id and index is the same act."""
    for index, record in city.records.items():
        act = city.acts.by_ref(record.ref)
        assert act is not None
        assert act == city.acts.by_id(record.id) == city.acts.by_index(index)
        assert (act.index, act.id, act.title, act.signers) == (index, record.id, record.data["title"], (city.clerk,))
        assert act.relations == tuple((one["type"], one["ref"]) for one in record.relations)
    assert [act.index for act in city.acts.all()] == list(city.records)


def test_not_found(city: City) -> None:
    """What is not there is None or empty."""
    index: Index = city.acts
    assert index.by_ref("00000000000") is index.by_id("0" * 64) is index.by_index(0) is None
    assert index.by_number(("sk", "setda", "9", "2026")) == index.by_document("0" * 64) == index.relating_to("x") == []
    assert index.bucket("ref", "00") == []


def test_by_number(city: City) -> None:
    """Folded, in its form, office and year."""
    (record, *_) = city.records.values()
    assert [act.ref for act in city.acts.by_number(("sk", "setda", "188/1tahun2026", "2026"))] == [record.ref]
    assert city.acts.by_number(("sk", "setda", "188/1tahun2026", "2025")) == []


def test_by_document(city: City) -> None:
    """One document may stand in many acts."""
    both, one = (city.acts.by_document(hashlib.sha256(body).hexdigest()) for body in (b"a", b"b"))
    assert [act.index for act in both] == list(city.records)[:2]
    assert [act.index for act in one] == list(city.records)[:1]


def test_relating_to(city: City) -> None:
    """What names an act, oldest first."""
    first, second, third = city.records.values()
    assert [(kind, act.ref) for kind, act in city.acts.relating_to(first.ref)] == [("amends", second.ref), ("follows", third.ref)]


def test_buckets(city: City) -> None:
    """Each act stands under its documents, its number, its own reference and those it names."""
    first, second, third = city.records.values()
    starts = list(city.records)
    assert set(look_up_values(second)) >= {("ref", first.ref[:2], first.ref), ("ref", second.ref[:2], second.ref)}
    lines = city.acts.bucket("ref", first.ref[:2])
    assert [line for line in lines if line[0] == first.ref] == [(first.ref, index) for index in starts]
    value = number_hash("188/1 Tahun 2026")
    assert city.acts.bucket("number", value[:3]) == [(value, starts[0])]
    assert not any(kind == "number" for kind, _, _ in look_up_values(third))
    newest = city.acts.buckets(starts[2], starts[2] + 1)
    assert set(newest) == {(kind, prefix) for kind, prefix, _ in look_up_values(third)}
    assert city.acts.buckets(0, starts[0]) == []


def test_one_place_one_act(city: City) -> None:
    """A second act cannot be added where one stands."""
    (record, *_), (place, *_) = city.records.values(), city.records
    with pytest.raises(sqlite3.IntegrityError):
        city.acts.add(record, index=place, time="2026-01-05T02:00:00Z")


def test_an_office_and_its_number_are_found_under_any_form_and_year(city: City) -> None:
    """Folded, oldest first, of this office only; and the whole record of a reference."""
    (record, *_) = city.records.values()
    again, _ = city.publish(number="188/1  TAHUN 2026", signed_on="2025-12-30")
    assert [act.ref for act in city.acts.by_office_number("setda", "188/1 tahun 2026")] == [record.ref, again.ref]
    assert city.acts.by_office_number("nowhere", "188/1 tahun 2026") == []
    assert city.acts.body(again.ref) == again.data
    assert city.acts.body("00000000000") is None


def test_serials_and_what_explains_them(city: City) -> None:
    """A number book's serials in order; explanations that were annulled or replaced no longer count, later entries neither."""
    city.roster_event({"event": "form", "id": "void", "kind": "void", "name": "Penjelasan nomor"})
    city.roster_event(
        {"event": "series", "id": "sk", "office": "setda", "forms": ["sk"], "pattern": "188/{serial} Tahun {year}", "start": 1,
         "resets": "yearly", "complete_from": "2026-01-01"},
    )  # fmt: skip
    for serial in (90, 20):
        city.publish(number=f"188/{serial} Tahun 2026", series="sk", serial=serial)
    void = {"kind": "void", "form": "void", "documents": {}, "number": None, "unnumbered_reason": "catatan"}
    fields = {"series": "sk", "serials": [4, 5], "reason": "unused"}
    explained, index = city.publish(**void, fields=fields)
    assert [serial for serial, _ in city.acts.serials("sk")] == [20, 90]
    assert [serial for serial, _ in city.acts.serials("sk", index - 1)] == [90]
    (found,) = city.acts.voids("sk")
    assert (found.index, found.ref, found.serials, found.reason, found.law) == (index, explained.ref, (4, 5), "unused", None)
    assert city.acts.voids("sk", index) == city.acts.voids("other") == []
    again = [{"type": "corrects", "ref": explained.ref, "reason": "salah"}]
    city.publish(**void, fields=fields | {"serials": [4]}, relations=again)
    assert [one.serials for one in city.acts.voids("sk")] == [(4,)]


def test_a_number_spelled_like_a_reference_hides_no_act(city: City) -> None:
    """In one batch: an act whose number reads as another's reference or id, and one that uses that reference again."""
    taken, index = city.publish(ref="00000000000")
    for number in ("00000000000", taken.id):
        stranger = Record(b"", "f" * 64, {**taken.data, "number": number, "ref": "00000000011"})
        batch = Batch(city.acts, [stranger])
        assert batch.by_ref(taken.ref) == city.acts.by_index(index)
        assert batch.by_id(taken.id) == city.acts.by_index(index)
        assert batch.may_know(taken.id)
