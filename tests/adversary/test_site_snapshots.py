"""Acts that are published while a request is answered: each answer is of one moment, whatever comes in between."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import web.api.records
from ledger.catalog.catalog import Catalog
from ledger.catalog.filters import Filter
from tests.publisher.town import Town
from web.app import create_app

FILTERS = ["", "sort=-value", "sort=signed", "kind=decision", "q=keputusan", "kind=decision&kind=contract&year=2026"]


@pytest.fixture
def town(tmp_path: Path) -> Town:
    made = Town(tmp_path)
    made.settle_in()
    made.published(b"%PDF-1.4 first")
    return made


def _meanwhile(real: Callable[..., Any], town: Town) -> Callable[..., Any]:
    def answer(*args: Any, **kwargs: Any) -> Any:
        found = real(*args, **kwargs)
        town.published(b"%PDF-1.4 in between")
        return found

    return answer


@pytest.mark.parametrize("query", FILTERS)
def test_a_list_and_its_checkpoint_are_of_one_moment(town: Town, monkeypatch: pytest.MonkeyPatch, query: str) -> None:
    """What is published after the checkpoint was read is in neither rows, nor count, nor facets."""
    client = create_app(town.home).test_client()
    before = client.get(f"/api/v1/records?{query}").json
    monkeypatch.setattr(web.api.records, "snapshot_of", _meanwhile(web.api.records.snapshot_of, town))
    during = client.get(f"/api/v1/records?{query}").json
    assert during == before
    monkeypatch.undo()
    assert client.get(f"/api/v1/records?{query}").json != before


@pytest.mark.parametrize("query", FILTERS)
def test_a_search_of_an_older_size_is_what_it_was(town: Town, query: str) -> None:
    """Rows, count and facets below an entry are those that stood there before the next act came."""
    wanted = Filter.read([tuple(pair.split("=")) for pair in query.split("&") if pair])  # type: ignore[misc]
    catalog = Catalog(town.home.search_db)
    size, before = catalog.size, catalog.search(wanted)
    for n in range(3):
        town.published(b"%%PDF-1.4 later %d" % n)
    assert catalog.size > size
    assert catalog.search(wanted, size=size) == before
    assert catalog.search(wanted, size=size + 100) == catalog.search(wanted)
