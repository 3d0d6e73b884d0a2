"""Searching: what is found, counted and listed is what looking at every act gives, and nothing typed is an error."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.catalog import counting, ordering
from ledger.catalog.catalog import Catalog
from ledger.catalog.filters import FACETS, SORTS, Filter
from ledger.errors import StoreError
from tests.catalog.shelf import WORDS, chosen, counted, feed, fill, has_words, in_order, row, small_blocks, some_acts

SIZE = 400
ACTS = some_acts(SIZE)


@pytest.fixture(params=["fts", "blocks"])
def catalog(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    """The same acts, once in FTS5 only, once with bitmaps for most of them."""
    if request.param == "blocks":
        small_blocks(monkeypatch)
    made = fill(tmp_path / "search.db", ACTS, SIZE)
    frequent = made._opened().execute("SELECT count(*) FROM hot").fetchone()[0]
    assert (frequent > 100) == (request.param == "blocks")
    return made


FILTERS = st.builds(
    Filter,
    form=st.lists(st.sampled_from(["sk", "spk", "nowhere"]), max_size=2, unique=True).map(tuple),
    kind=st.lists(st.sampled_from(["contract", "decision"]), max_size=1).map(tuple),
    office=st.lists(st.sampled_from(["pu", "tani"]), max_size=2, unique=True).map(tuple),
    year=st.lists(st.sampled_from(["2024", "2025", "1999"]), max_size=2, unique=True).map(tuple),
    supplier=st.lists(st.sampled_from(["CV Satu", "PT Tiga"]), max_size=1).map(tuple),
    method=st.lists(st.sampled_from(["Tender"]), max_size=1).map(tuple),
    since=st.sampled_from(["", "2026-01-03", "2026-01-09"]),
    until=st.sampled_from(["", "2026-01-12", "2026-01-03"]),
    sort=st.sampled_from(SORTS),
)
FIXED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)


@FIXED
@given(wanted=FILTERS, page=st.integers(1, 4), few=st.sampled_from([0, 2000]), most=st.sampled_from([0, 10**6]))
def test_filters_counts_and_facets_are_true(catalog: Catalog, wanted: Filter, page: int, few: int, most: int) -> None:
    """Rows, their order, the count and every facet's numbers are those of looking at each act, whichever way they are made."""
    ordering._FEW, before = few, ordering._FEW
    counting._ONE_ENTRY, price = (1000.0 if most else 0.0), counting._ONE_ENTRY
    try:
        expected = in_order(list(chosen(ACTS, wanted)), wanted.sort)
        found = catalog.search(wanted, page=page, per_page=25)
        assert found.rows == expected[(page - 1) * 25 : page * 25]
        assert (found.count, found.exact) == (len(expected), True)
        assert list(found.facets) == list(FACETS)
        for name, values in found.facets.items():
            others = counted(list(chosen(ACTS, wanted, without=name)), name)
            assert dict(values) == others | {value: 0 for value in getattr(wanted, name) if value not in others}
            numbers = [number or 0 for _, number in values]
            assert numbers == sorted(numbers, reverse=True)
    finally:
        ordering._FEW, counting._ONE_ENTRY = before, price


@FIXED
@given(words=st.lists(st.sampled_from([*WORDS, "wal", "jal", "tro", "pasard", "kotawali", "ko", "trotoarka", "trotoark"]), min_size=1, max_size=3))
def test_words_are_found_as_said(catalog: Catalog, words: list[str]) -> None:
    """All words, the last as a beginning, two that are one elsewhere and one that is two elsewhere."""
    q = " ".join(words)
    expected = {act.row.index for act in ACTS if has_words(act, q, ACTS)}
    assert {one.index for one in catalog.each(Filter(q=q), SIZE)} == expected
    assert catalog.count(Filter(q=q), SIZE) == len(expected)


@FIXED
@given(wanted=FILTERS, q=st.sampled_from(["", "wali kota", "jalan", "13"]), size=st.integers(0, SIZE))
def test_page_each_and_count_agree(catalog: Catalog, wanted: Filter, q: str, size: int) -> None:
    """The stream yields all that the pages show, in their order, and below any size exactly what lies below it."""
    filtered = Filter(**{**{name: getattr(wanted, name) for name in (*FACETS, "since", "until", "sort")}, "q": q})
    whole = list(catalog.each(filtered, SIZE))
    first = catalog.search(filtered, page=1, per_page=SIZE)
    assert (first.rows, first.count) == (whole, len(whole))
    assert list(catalog.each(filtered, size)) == [one for one in whole if one.index < size]
    assert catalog.count(filtered, size) == sum(one.index < size for one in whole)


@FIXED
@given(q=st.text(max_size=400) | st.text(alphabet="\"*^+-:(){}#=/ANDORTNE wali13'\0", max_size=400))
def test_nothing_typed_is_an_error(catalog: Catalog, q: str) -> None:
    """Quotes, operators, NUL, lone surrogates, emptiness and length are words or nothing."""
    found = catalog.search(Filter(q=q))
    assert found.count == catalog.count(Filter(q=q), SIZE)


@pytest.mark.parametrize("q", ['"', "AND", "NOT wali", "wali OR", "NEAR(a b)", "terms:wali", "wali*", "^wali", "{", "-wali", "'; DROP", "wali " * 80, "x" * 400, "a " * 200, "#", "=all", "+walikota"])
def test_operators_are_plain_words(catalog: Catalog, q: str) -> None:
    """FTS5's own language means nothing here."""
    catalog.search(Filter(q=q))
    assert catalog.search(Filter(q="NOT wali")).count == 0
    assert catalog.search(Filter(q="=all")).count == catalog.search(Filter(q="all")).count


def test_nothing_in_a_query_finds_nothing(catalog: Catalog) -> None:
    """A query without letters and digits does not mean everything."""
    assert catalog.search(Filter(q="—/.")).count == 0


def test_a_quoted_phrase_stands_side_by_side(tmp_path: Path) -> None:
    """In quotation marks words are neighbours, in that order, whether or not two of them are written as one."""
    texts = ["Pasar Wali Kota Lama", "Pasar Walikota Lama", "Lama Kota Wali Pasar", "Kota Pasar, Wali Lama"]
    catalog = fill(tmp_path / "search.db", [feed(index, text) for index, text in enumerate(texts)], len(texts))
    for q in ('"wali kota"', "“walikota”", '"pasar wali kota lama"', '"pasar walikota lama"', '"kota lama"', '"walikota lama"'):
        expected = [0] if q == '"kota lama"' else [0, 1]
        assert [one.index for one in catalog.each(Filter(q=q, sort="recorded"), 4)] == expected, q
    assert catalog.count(Filter(q='"kota wali pasar"'), 4) == 1
    assert catalog.count(Filter(q="pasar wali kota"), 4) == 4


@pytest.mark.parametrize(
    ("number", "typed"),
    [(number, typed) for number, spellings in {
        "138/728 Tahun 2022": ["138/728 Tahun 2022", "138/728", "138 / 728", "728 tahun 2022", "Nomor 138/728 Tahun 2022", "138/728Tahun2022", "728/tahun", "138/72", '"138/728"', "138-728"],
        "600.1/31/SPK/2025": ["600.1/31/SPK/2025", "600.1/31", "31/SPK", "600.1 / 31 / SPK / 2025", "600 1 31", "/SPK/2025", "600.1/31/spk/20"],
        "027/007/08.0004/SPK/SEKRET/2025": ["027/007/08.0004/SPK/SEKRET/2025", "08.0004", "SPK/SEKRET", "027/007", "0004/spk/sek"],
    }.items() for typed in spellings],
)  # fmt: skip
def test_numbers_are_found_as_typed(tmp_path: Path, number: str, typed: str) -> None:
    """Whole, in parts, to their beginning, with other spacing and other signs between."""
    others = ["138/7281 Tahun 2022", "13/8728 Tahun 2022", "600.13/1/SPK/2025", "027/0070/80.0004/SPK/2025", "1/2"]
    acts = [feed(index, "nomor", number=one) for index, one in enumerate([number, *others])]
    catalog = fill(tmp_path / "search.db", acts, len(acts))
    assert 0 in {one.index for one in catalog.each(Filter(q=typed), len(acts))}


@pytest.mark.parametrize("typed", ["138/728", "13/8", "600.1/31", "8728", "738"])
def test_numbers_keep_their_seams(tmp_path: Path, typed: str) -> None:
    """13/8728 is not 138/728: digits are not joined across what stands between them."""
    catalog = fill(tmp_path / "search.db", [feed(0, number="600.13/1/SPK"), feed(1, number="1387/28"), feed(2, number="7/38")], 3)
    assert catalog.count(Filter(q=typed), 3) == 0


@pytest.mark.parametrize("typed", ["19JVNJXPQJS", "19JV-NJXP-QJS", "19jv njxp qjs", "I9JV-NJXP-QJS", "19jvnj", "19JV-NJ"])
def test_references_are_found_however_they_are_written(tmp_path: Path, typed: str) -> None:
    """Grouped, in lower case, with letters mistaken for digits, or only begun."""
    from ledger.catalog.feeding import Feed
    from ledger.catalog.folding import ref_term

    acts = [Feed(row(0), ("19JVNJXPQJS", "19JV-NJXP-QJS"), {ref_term("19JVNJXPQJS")}), feed(1, "19 nothing")]
    catalog = fill(tmp_path / "search.db", acts, 2)
    assert [one.index for one in catalog.each(Filter(q=typed), 2)] == [0]


def test_too_many_hits_are_said_to_be_uncounted(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit suppliers have no numbers, the count stays exact, and those named do occur."""
    monkeypatch.setattr(counting, "MOST_COUNTED", 10)
    monkeypatch.setattr(counting, "_SAMPLE", 50)
    found = catalog.search(Filter(q="wali"))
    suppliers = counted([act.row for act in ACTS if has_words(act, "wali", ACTS)], "supplier")
    assert found.exact
    assert {value for value, _ in found.facets["supplier"]} <= suppliers.keys()
    assert {number for _, number in found.facets["supplier"]} == {None}


@pytest.mark.parametrize("size", [1, 63, 64, 65, 100, 128, 200, SIZE])
@pytest.mark.parametrize("wanted", [Filter(), Filter(q="wali"), Filter(kind=("contract",)), Filter(q="wali", sort="-value")])
def test_a_size_is_kept_by_a_reader_that_knows_nothing_yet(catalog: Catalog, size: int, wanted: Filter) -> None:
    """Below a size in the middle of a block nothing later is found, also by the very first question."""
    whole = [one.index for one in catalog.each(wanted, SIZE)]
    assert [one.index for one in Catalog(catalog.path).each(wanted, size)] == [index for index in whole if index < size]
    assert Catalog(catalog.path).count(wanted, size) == sum(index < size for index in whole)


def test_the_newest_and_one(catalog: Catalog) -> None:
    """The newest acts come first; a row is found by its entry; entries that are no acts have none."""
    rows = [act.row for act in ACTS]
    assert catalog.newest(7) == rows[:-8:-1]
    assert [catalog.row(one.index) for one in rows] == rows
    assert all(catalog.row(index) is None for index in set(range(SIZE + 1)) - {one.index for one in rows})


def test_a_stream_is_one_snapshot(tmp_path: Path) -> None:
    """What is published while a stream runs does not get into it, and the file may even be made anew beneath it."""
    catalog = fill(tmp_path / "search.db", ACTS, SIZE)
    stream = catalog.each(Filter(), SIZE)
    first = next(stream)
    more = [feed(index, "later") for index in range(SIZE, SIZE + 1200)]
    fill(tmp_path / "search.db", more, SIZE + 1200, batch=600)
    (tmp_path / "search.db").unlink()
    assert [first, *stream] == in_order([act.row for act in ACTS], "-recorded")


def test_a_catalogue_that_is_behind_does_not_cut_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream or count of more entries than the catalogue reaches is refused before its first row."""
    monkeypatch.setattr("ledger.catalog.catalog._PATIENCE", 0.0)
    catalog = fill(tmp_path / "search.db", ACTS, SIZE)
    for ask in (catalog.each, catalog.count):
        with pytest.raises(StoreError) as caught:
            ask(Filter(), SIZE + 1)
        assert caught.value.code == "catalogue-behind"


def test_no_catalogue_is_an_empty_one(tmp_path: Path) -> None:
    """Where no file is, nothing is found and nothing fails; when it comes, or is replaced, it is read."""
    catalog = Catalog(tmp_path / "search.db", read_only=True)
    assert (catalog.size, catalog.newest(5), catalog.row(0), catalog.snippet(0, "x")) == (0, [], None, None)
    assert catalog.search(Filter(q="wali")).count == 0
    fill(tmp_path / "search.db", ACTS, SIZE)
    assert catalog.size == SIZE
    (tmp_path / "search.db").unlink()
    assert catalog.size == 0
    fill(tmp_path / "search.db", ACTS[:3], 10)
    assert catalog.count(Filter(), 10) == 3


@pytest.mark.parametrize(("sort", "q"), [*product(SORTS, ["", "jalan"])])
def test_pages_in_a_row_are_the_whole(catalog: Catalog, sort: str, q: str) -> None:
    """No act is on two pages or on none."""
    pages = [catalog.search(Filter(q=q, sort=sort), page=page, per_page=30).rows for page in range(1, 15)]
    assert [one for page in pages for one in page] == list(catalog.each(Filter(q=q, sort=sort), SIZE))
