"""The real contracts, where they are present: searched as a journalist would, and every number true."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ledger.catalog.catalog import Catalog, mark_hits
from ledger.catalog.feeding import Feed
from ledger.catalog.filters import FACETS, SORTS, Filter
from ledger.catalog.folding import words_of
from tests.catalog.shelf import chosen, counted, feed, fill, in_order


@pytest.fixture(scope="module")
def contracts() -> list[dict[str, Any]]:
    source = Path(__file__).parents[3] / "shared" / "data" / "contracts-bandung-2025.jsonl"
    if not source.is_file():
        pytest.skip("the contracts are not here")
    return [json.loads(line, parse_float=str, parse_int=str) for line in source.read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def acts(contracts: list[dict[str, Any]]) -> list[Feed]:
    return [_feed(index, one) for index, one in enumerate(contracts)]


@pytest.fixture(scope="module")
def catalog(acts: list[Feed], tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return fill(tmp_path_factory.mktemp("catalog") / "search.db", acts, len(acts), batch=300)


def _feed(index: int, one: dict[str, Any]) -> Feed:
    whole, _, part = one["value"].partition(".")
    texts = [one["title"], one["buyer"]["unit"], one["scope"] or "", one["method"] or "", one["signatory_position"] or ""]
    supplier = (one["supplier"] or {}).get("name")
    return feed(
        index, *texts, *([supplier] if supplier else []), kind="contract", form="spk", office=one["buyer"]["unit"][:60],
        number=one["contract_number"], title=one["title"], signed_on=one["contract_date"] or "2025-01-01",
        value=f"{whole}.{part[:2]}" if part else whole, currency="IDR", supplier=supplier, method=one["method"],
    )  # fmt: skip


def test_every_contract_is_found_by_its_number_as_typed(acts: list[Feed], catalog: Catalog) -> None:
    """Each of the real numbers, untidy as they are, finds its contract: whole, in capitals, and with spaces at its slashes."""
    for act in acts:
        number = act.row.number or ""
        if not words_of(number):
            continue
        for typed in (number, number.upper(), number.replace("/", " / ")):
            assert act.row.index in {one.index for one in catalog.each(Filter(q=typed[:400]), len(acts))}, typed


def test_every_contract_is_found_by_title_and_supplier(acts: list[Feed], catalog: Catalog) -> None:
    """The words of its title and of its supplier find a contract, and are marked in its title."""
    for act in acts[::3]:
        q = f"{act.row.title} {act.row.supplier or ''}".replace('"', " ")[:400]
        assert act.row.index in {one.index for one in catalog.each(Filter(q=q), len(acts))}, q
        assert any(hit for _, hit in mark_hits(act.row.title, q))


@pytest.mark.parametrize("sort", SORTS)
def test_counts_and_orders_of_real_values(acts: list[Feed], catalog: Catalog, sort: str) -> None:
    """Facets, counts and order by value, date and entry are those of looking at each contract."""
    offices = [value for value, _ in catalog.search(Filter()).facets["office"]]
    for wanted in (Filter(sort=sort), Filter(office=tuple(offices[:3]), sort=sort), Filter(method=("Pengadaan Langsung",), year=("2025",), sort=sort)):
        expected = in_order(list(chosen(acts, wanted)), sort)
        assert list(catalog.each(wanted, len(acts))) == expected
        facets = catalog.search(wanted).facets
        for name in FACETS:
            others = counted(list(chosen(acts, wanted, without=name)), name)
            assert all(others[value] == number for value, number in facets[name])
            assert len(facets[name]) == min(len(others), 100)


def test_a_word_of_a_title_is_found_wherever_it_stands(acts: list[Feed], catalog: Catalog) -> None:
    """For the words of the titles: every contract that has the word is found, whatever its case."""
    words = {word for act in acts[:60] for word in words_of(act.row.title) if len(word) > 4 and word.isalpha()}
    for word in sorted(words):
        expected = {act.row.index for act in acts if any(word in words_of(text) for text in act.texts)}
        assert expected <= {one.index for one in catalog.each(Filter(q=word.upper()), len(acts))}
