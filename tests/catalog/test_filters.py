"""Filters: the same parameters mean the same everywhere, and what cannot be meant is refused with a code."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.catalog.filters import FACETS, SORTS, Filter
from ledger.errors import UsageError

VALUES = st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), min_size=1, max_size=20)


@given(
    facets=st.dictionaries(st.sampled_from([name for name in FACETS if name != "year"]), st.lists(VALUES, min_size=1, max_size=4)),
    q=VALUES,
    sort=st.sampled_from(SORTS),
)
def test_what_is_written_is_read_again(facets: dict[str, list[str]], q: str, sort: str) -> None:
    """A filter's own parameters make that filter, however often values were repeated."""
    pairs = [(name, value) for name, values in facets.items() for value in values * 2]
    wanted = Filter.read([("q", q), *pairs, ("sort", sort), ("page", "7")])
    assert Filter.read(wanted.pairs()) == wanted
    assert all(getattr(wanted, name) == tuple(dict.fromkeys(values)) for name, values in facets.items())


def test_absence_is_the_usual() -> None:
    """Empty values and other parts' parameters do not count."""
    assert Filter.read([("q", " "), ("form", ""), ("lang", "en"), ("page", "2")]) == Filter()
    assert Filter().pairs() == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("sort", "title"), ("year", "26"), ("year", "٢٠٢٦"), ("since", "2026-02-30"), ("until", "yesterday"), ("q", "a" * 401), ("q", "a\0b"), ("office", "\u202eab"), ("form", "x" * 401)],
)
def test_what_cannot_be_meant_is_refused(name: str, value: str) -> None:
    """A date that is none, an unknown order, an invisible character or a text without end is an error of the request."""
    with pytest.raises(UsageError) as caught:
        Filter.read([(name, value)])
    assert caught.value.code == "bad-filter"
    assert caught.value.values["name"] == name


def test_too_many_values_are_refused() -> None:
    """A facet takes 32 values; words, dates and order are given once."""
    Filter.read([("office", str(n)) for n in range(32)])
    for pairs in ([("office", str(n)) for n in range(33)], [("q", "a"), ("q", "b")], [("sort", "value"), ("sort", "value")]):
        with pytest.raises(UsageError):
            Filter.read(pairs)


def test_one_wish_more_or_less() -> None:
    """Adding and removing a value leaves all other wishes as they are."""
    wanted = Filter(q="jalan", office=("pu", "tani"), sort="-value", since="2026-01-01")
    assert wanted.without("office", "pu") == Filter(q="jalan", office=("tani",), sort="-value", since="2026-01-01")
    assert wanted.without("office") == Filter(q="jalan", sort="-value", since="2026-01-01")
    assert wanted.without("sort").sort == "-recorded"
    assert wanted.without("q").q == wanted.without("since").since == ""
    assert wanted.with_value("office", "pu") == wanted
    assert wanted.with_value("year", "2026").without("year", "2026") == wanted
