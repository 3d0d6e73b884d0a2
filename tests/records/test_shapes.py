"""Shapes: each names every fault with its path, and accepts nothing that Python would kindly repair."""

from __future__ import annotations

import base64
import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.records import shapes
from ledger.records.shapes import Shape

ED25519 = base64.b64encode(bytes.fromhex("302a300506032b6570032100") + bytes(range(32))).decode()
ED448 = base64.b64encode(bytes.fromhex("3043300506032b6571033a00") + bytes(57)).decode()


def codes(shape: Shape, value: Any) -> list[str]:
    return [reason.code for reason in shape(value, "here")]


@pytest.mark.parametrize(
    ("shape", "good"),
    [
        (shapes.text(5), "SK 12"),
        (shapes.text(), "a  b"),
        (shapes.person_text(), "NIP 1234567890123456789"),
        (shapes.person_text(), "123456789012345"),
        (shapes.digest, "0123456789abcdef" * 4),
        (shapes.identifier, "bag-hukum.1"),
        (shapes.money, "0"),
        (shapes.money, "999999999999999999.99"),
        (shapes.money, "1.5"),
        (shapes.currency, "IDR"),
        (shapes.media_type, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        (shapes.date, "2024-02-29"),
        (shapes.timestamp, "2026-11-23T23:59:59Z"),
        (shapes.spki, ED25519),
        (shapes.choice("a", "b"), "b"),
        (shapes.integer(1, 3), 3),
        (shapes.nullable(shapes.date), None),
        (shapes.listing(shapes.date, least=1), ["2026-01-01"]),
    ],
)
def test_accepted(shape: Shape, good: Any) -> None:
    """The good value of each shape."""
    assert codes(shape, good) == []


@pytest.mark.parametrize(
    ("shape", "bad", "code"),
    [
        (shapes.text(), "", "empty-or-padded"),
        (shapes.text(), " a", "empty-or-padded"),
        (shapes.text(), "a\u00a0", "empty-or-padded"),
        (shapes.text(5), "123456", "text-too-long"),
        (shapes.text(), 5, "not-text"),
        (shapes.text(), None, "not-text"),
        (shapes.person_text(), "NIK 3273010101900001", "citizen-number"),
        (shapes.person_text(), "(3273010101900001)", "citizen-number"),
        (shapes.person_text(), "٣٢٧٣٠١٠١٠١٩٠٠٠٠١", "citizen-number"),
        (shapes.digest, "0123456789ABCDEF" * 4, "bad-digest"),
        (shapes.digest, "0" * 64 + "\n", "bad-digest"),
        (shapes.digest, 0, "bad-digest"),
        (shapes.identifier, "Bag", "bad-identifier"),
        (shapes.identifier, "-a", "bad-identifier"),
        (shapes.identifier, "a" * 65, "bad-identifier"),
        (shapes.money, "01", "bad-money"),
        (shapes.money, "1.", "bad-money"),
        (shapes.money, ".5", "bad-money"),
        (shapes.money, "1.234", "bad-money"),
        (shapes.money, "1,5", "bad-money"),
        (shapes.money, "-1", "bad-money"),
        (shapes.money, "1000000000000000000", "bad-money"),
        (shapes.money, "٤٢", "bad-money"),
        (shapes.money, "1_000", "bad-money"),
        (shapes.money, 1, "bad-money"),
        (shapes.currency, "idr", "bad-currency"),
        (shapes.media_type, "pdf", "bad-media-type"),
        (shapes.media_type, "text/html; charset=utf-8", "bad-media-type"),
        (shapes.date, "2023-02-29", "bad-date"),
        (shapes.date, "2023-2-9", "bad-date"),
        (shapes.date, "20230209", "bad-date"),
        (shapes.date, "0999-01-01", "bad-date"),
        (shapes.date, "2023-00-01", "bad-date"),
        (shapes.date, "٢٠٢٣-01-01", "bad-date"),
        (shapes.date, None, "bad-date"),
        (shapes.timestamp, "2026-11-23T24:00:00Z", "bad-time"),
        (shapes.timestamp, "2026-11-23T23:59:60Z", "bad-time"),
        (shapes.timestamp, "2026-02-30T00:00:00Z", "bad-time"),
        (shapes.timestamp, "2026-11-23T23:59:59+00:00", "bad-time"),
        (shapes.timestamp, "2026-11-23t23:59:59z", "bad-time"),
        (shapes.timestamp, "2026-11-23T23:59:59Z\n", "bad-time"),
        (shapes.timestamp, 0, "bad-time"),
        (shapes.spki, ED25519.rstrip("="), "bad-key"),
        (shapes.spki, ED25519 + "\n", "bad-key"),
        (shapes.spki, ED25519[:-2] + "9=", "bad-key"),
        (shapes.spki, base64.b64encode(bytes(44)).decode(), "bad-key"),
        (shapes.spki, "", "bad-key"),
        (shapes.spki, None, "bad-key"),
        (shapes.spki, "é", "bad-key"),
        (shapes.choice("a"), 1, "not-a-choice"),
        (shapes.integer(), True, "bad-number"),
        (shapes.integer(), "1", "bad-number"),
        (shapes.integer(1, 3), 4, "bad-number"),
        (shapes.listing(shapes.date), {}, "not-a-list"),
        (shapes.listing(shapes.date, least=1), [], "bad-count"),
        (shapes.listing(shapes.date, most=1), ["2026-01-01"] * 2, "bad-count"),
        (shapes.mapping({}), [], "not-an-object"),
        (shapes.nullable(shapes.date), "", "bad-date"),
    ],
)
def test_refused(shape: Shape, bad: Any, code: str) -> None:
    """The bad value of each shape, by the code that a person is told."""
    assert codes(shape, bad) == [code]


def test_every_fault_with_its_path() -> None:
    """All faults of a nested value come at once, each with where it is."""
    shape = shapes.mapping({"a": shapes.listing(shapes.mapping({"d": shapes.date})), "b": shapes.digest}, {"c": shapes.money})
    found = [(one.code, one.path) for one in shape({"a": [{"d": "x"}, {}, 1], "c": "y", "z": 1}, "")]
    assert found == [
        ("missing", "b"),
        ("bad-date", "a[0].d"),
        ("missing", "a[1].d"),
        ("not-an-object", "a[2]"),
        ("bad-money", "c"),
        ("unknown-key", "z"),
    ]


def test_what_a_later_version_may_have_brought_is_marked() -> None:
    """An unknown key, choice or key algorithm is refused as unknown; a wrong type or a garbled key is simply wrong."""

    def marks(shape: Shape, value: Any) -> list[bool]:
        return [one.unknown for one in shape(value, "")]

    assert marks(shapes.mapping({}), {"new": 1}) == [True]
    assert marks(shapes.choice("a"), "new") == [True]
    assert marks(shapes.choice("a"), ["a"]) == [False]
    assert marks(shapes.spki, ED448) == [True]
    assert marks(shapes.spki, ED25519[:-4]) == [False]
    assert marks(shapes.date, "new") == [False]


def test_either() -> None:
    """An object is judged by the shape that its key chooses; anything else by the shape without it."""
    shape = shapes.either("x", shapes.mapping({"x": shapes.date}), shapes.mapping({"y": shapes.date}))
    assert codes(shape, {"x": "2026-01-01"}) == codes(shape, {"y": "2026-01-01"}) == []
    assert codes(shape, {"x": "2026-01-01", "y": "2026-01-01"}) == ["unknown-key"]
    assert codes(shape, "x") == ["not-an-object"]


@given(st.dates(min_value=datetime.date(1000, 1, 1), max_value=datetime.date(2999, 12, 31)))
def test_every_calendar_date(day: datetime.date) -> None:
    """Each date of these two thousand years is read as itself."""
    assert shapes.date_of(day.isoformat()) == day


@given(st.text(max_size=12))
def test_no_other_text_is_a_date(text: str) -> None:
    """What is accepted spells itself: no second spelling of any date."""
    found = shapes.date_of(text)
    assert found is None or found.isoformat() == text


def test_long_values_are_shown_short() -> None:
    """A refusal shows the value, cut, so that an error cannot carry a document."""
    (reason,) = shapes.digest("x" * 500, "here")
    assert len(str(reason.values["value"])) == 60
