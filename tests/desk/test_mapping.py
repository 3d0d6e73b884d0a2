"""Maps move and spell; they never invent, and a misspelled map is refused before any row is read."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from ledger.desk.conditions import column, meets
from ledger.desk.conversion import apply_map
from ledger.desk.mapping import load_map, parse_map
from ledger.errors import UsageError

BASE = """
[constants]
kind = "contract"
form = "spk"
[columns]
number = "no"
title = { template = "{jenis} {nama}" }
signed_on = { column = "tgl", date = ["long"] }
office = { column = "unit.kode", table = "offices" }
"fields.value" = { column = "nilai", money = "rupiah" }
"fields.plan_codes" = { column = "rup", list = true }
"fields.supplier.name" = { first_of = ["penyedia", "rekanan"] }
"extra.catatan" = { join = ["a", "b"], with = ", " }
[tables.offices]
"1.01" = "dinas-pu"
[[signatories]]
position = { column = "jabatan" }
when = [{ if = { column = "jabatan", matches = "^Plt" }, set = { capacity = "plt" } }]
[[when]]
if = { column = "ubah", equals = true }
set = { "fields.reason" = "perubahan" }
drop = ["extra.catatan"]
relation = { type = "amends", earlier = "same-number" }
[[refuse]]
if = { column = "nilai", above = "pagu" }
id = "Nilai di atas pagu."
en = "Above the ceiling."
"""
ROW: dict[str, Any] = {
    "no": "1/SPK", "jenis": "Belanja", "nama": "Meja", "tgl": "2 Januari 2025", "unit": {"kode": "1.01"}, "nilai": "Rp 1.500.000",
    "rup": "541", "penyedia": None, "rekanan": "CV A", "a": "x", "b": Decimal("1.50"), "jabatan": "Plt. Kepala", "ubah": False,
}  # fmt: skip


def test_a_row_becomes_a_record() -> None:
    """Tables, templates, alternatives, joins, dates, amounts and lists."""
    mapped = apply_map(parse_map(BASE), ROW)
    assert not mapped.reasons
    assert mapped.data == {
        "kind": "contract", "form": "spk", "number": "1/SPK", "title": "Belanja Meja", "signed_on": "2025-01-02",
        "office": "dinas-pu", "signatories": [{"position": "Plt. Kepala", "capacity": "plt"}],
        "fields": {"value": "1500000", "plan_codes": ["541"], "supplier": {"name": "CV A"}}, "extra": {"catatan": "x, 1.50"},
    }  # fmt: skip


def test_an_empty_column_leaves_its_key_out() -> None:
    """Nothing is filled in: neither for null, nor for an empty text, nor in a template with a hole."""
    for empty in (None, ""):
        mapped = apply_map(parse_map(BASE), {**ROW, "nilai": empty, "rekanan": empty, "nama": empty})
        assert mapped.data["fields"] == {"plan_codes": ["541"]}
        assert "title" not in mapped.data


def test_rules_set_drop_and_relate() -> None:
    """A rule acts on the rows that meet it, and only on those."""
    mapped = apply_map(parse_map(BASE), {**ROW, "ubah": True})
    assert mapped.data["fields"]["reason"] == "perubahan"
    assert mapped.data["extra"] == {}
    assert mapped.relations == ({"type": "amends", "earlier": "same-number"},)
    assert not apply_map(parse_map(BASE), ROW).relations


def test_what_cannot_be_read_is_a_reason() -> None:
    """All of them: the amount, the date, the table, a list where a text should be."""
    row = {**ROW, "nilai": "1,234", "tgl": "kemarin", "unit": {"kode": "9"}, "no": True}
    assert {one.code for one in apply_map(parse_map(BASE), row).reasons} == {
        "unreadable-money", "unreadable-date", "not-in-table", "not-a-scalar",
    }  # fmt: skip


@pytest.mark.parametrize(("lang", "sentence"), [("id", "Nilai di atas pagu."), ("en", "Above the ceiling.")])
def test_a_refusing_rule_says_its_sentence(lang: str, sentence: str) -> None:
    """In the language of the run."""
    reasons = apply_map(parse_map(BASE), {**ROW, "pagu": 100}, lang).reasons
    assert [(one.code, one.values["sentence"]) for one in reasons] == [("by-rule", sentence)]


@pytest.mark.parametrize(
    ("test", "met"),
    [
        ({"column": "x", "equals": 5}, True),
        ({"column": "t", "equals": 5}, True),
        ({"column": "x", "equals": "5"}, False),
        ({"column": "x", "not_equals": 6}, True),
        ({"column": "none", "not_equals": 6}, False),
        ({"column": "none", "missing": True}, True),
        ({"column": "empty", "missing": True}, True),
        ({"column": "x", "missing": False}, True),
        ({"column": "x", "above": 4}, True),
        ({"column": "x", "above": "y"}, False),
        ({"column": "x", "below": "y"}, True),
        ({"column": "x", "above": "none"}, False),
        ({"column": "word", "above": 4}, False),
        ({"column": "word", "matches": "^a"}, True),
        ({"column": "word", "longer_than": 2}, True),
        ({"column": "word", "one_of": ["b", "abc"]}, True),
        ({"column": "x", "same_as": "y"}, False),
        ({"column": "x", "same_as": "x"}, True),
        ({"not": {"column": "x", "equals": 5}}, False),
        ({"all": [{"column": "x", "equals": 5}, {"column": "word", "equals": "abc"}]}, True),
        ({"any": [{"column": "x", "equals": 6}, {"column": "word", "equals": "abc"}]}, True),
        ({"column": "yes", "equals": True}, True),
        ({"column": "yes", "equals": False}, False),
        ({"column": "x", "equals": True}, False),
    ],
)
def test_conditions(test: dict[str, Any], met: bool) -> None:
    """Numbers, texts, empty cells; a comparison with an empty cell is not met; true is not 1."""
    row = {"x": 5, "y": Decimal("5.5"), "t": "5", "word": "abc", "none": None, "empty": "", "yes": "TRUE"}
    assert meets(test, row) is met


def test_columns_are_found_by_name_first() -> None:
    """A column whose name has a dot is itself; otherwise dots lead into objects and lists."""
    assert column({"a.b": 1, "a": {"b": 2}}, "a.b") == 1
    assert column({"a": {"b": [3, {"c": 4}]}}, "a.b.1.c") == 4
    assert column({"a": 5}, "a.b") is None
    assert column({"a": [1]}, "a.7") is None


@pytest.mark.parametrize(
    "text",
    [
        "x = [",
        "[colums]",
        'columns = "x"',
        '[columns]\nnumer = "x"',
        '[columns]\nfields = "x"',
        '[columns]\nnumber = { colum = "x" }',
        '[columns]\nnumber = { column = "x", constant = "y" }',
        '[columns]\nnumber = { column = "x", table = "none" }',
        '[columns]\nnumber = { column = "x", date = ["mdy"] }',
        '[columns]\nnumber = { column = "x", money = "euro" }',
        '[[when]]\nset = { kind = "x" }',
        '[[when]]\nif = { colum = "x" }',
        '[[when]]\nif = { column = "x", matches = "(" }',
        '[[when]]\nif = { column = "x", equals = 1 }\nrelation = { type = "amends" }',
        '[[refuse]]\nif = { column = "x", equals = 1 }\nid = "x"',
        '[[signatories]]\nname = "x"',
        '[[documents]]\nrole = "signed"',
    ],
)
def test_a_misspelled_map_is_refused(text: str) -> None:
    """A key that nobody knows would be passed over silently, and the public would miss what it was to say."""
    with pytest.raises(UsageError) as error:
        parse_map(text)
    assert error.value.code == "bad-map"


def test_a_map_that_cannot_be_read_is_told(tmp_path: Any) -> None:
    """No such file, or no text."""
    (tmp_path / "x.toml").write_bytes(b"\xff")
    for path in (tmp_path / "none.toml", tmp_path / "x.toml"):
        with pytest.raises(UsageError) as error:
            load_map(path)
        assert error.value.code == "file-unreadable"
