"""Reading pages of large ledgers: a search with two facets and an act's page, against a page with one SELECT by key."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from flask import Flask, render_template_string
from flask.testing import FlaskClient

from bench.acts import COMMON_WORDS, fill
from bench.table import Row, ratio_row
from ledger.publisher.schema import LEDGER_VERSION, open_checked
from tests.publisher.town import Town
from web.app import create_app

__all__ = ["reading"]

ROUNDS, EACH = 7, 30
SIZES = (10_000, 100_000, 1_000_000)
_PLAIN = "<!doctype html><title>{{ title }}</title><h1>{{ title }}</h1><p>{{ number }}, {{ office }}, {{ signed_on }}</p>"


def reading(sizes: tuple[int, ...] = SIZES) -> list[Row]:
    """Return rows for ledgers of synthetic acts of each size."""
    rows: list[Row] = []
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="bening-bench-") as folder:
            town = Town(Path(folder))
            town.settle_in()
            fill(town, size)
            site, plain = create_app(town.home).test_client(), _plain_page(town).test_client()
            chance = random.Random(size)
            works: dict[str, Callable[[], str]] = {
                "/records, a word and two facets": lambda: _search(chance),  # noqa: B023 (used within this round)
                "an act's page": lambda: f"/records/{chance.randrange(10, size)}",  # noqa: B023
            }
            for name, path in works.items():
                ours, theirs = [], []
                for _ in range(ROUNDS):
                    theirs.append(_median(plain, lambda: f"/{chance.randrange(10, size)}"))  # noqa: B023
                    ours.append(_median(site, path))
                rows.append(ratio_row(f"{size:,} acts: {name} / one SELECT by key", ours, theirs, "ms", "<= 10"))
    return rows


def _search(chance: random.Random) -> str:
    word = chance.choice(COMMON_WORDS)
    return f"/records?q={word}&year={chance.randrange(2018, 2026)}&kind=contract"


def _plain_page(town: Town) -> Flask:
    """Return the yardstick: a Flask page with one SELECT by key and one template."""
    app = Flask("plain")
    connection = open_checked(town.home.ledger_db, LEDGER_VERSION, read_only=True)

    @app.get("/<int:index>")
    def page(index: int) -> str:
        query = "SELECT title, number, office, signed_on FROM acts WHERE idx = ?"
        title, number, office, signed_on = connection.execute(query, (index,)).fetchone()
        return render_template_string(_PLAIN, title=title, number=number, office=office, signed_on=signed_on)

    return app


def _median(client: FlaskClient, path: Callable[[], str]) -> float:
    """Return the median of some requests, in milliseconds."""
    found = []
    for _ in range(EACH):
        where = path()
        began = time.perf_counter()
        reply = client.get(where)
        found.append((time.perf_counter() - began) * 1000)
        if reply.status_code != 200:
            raise RuntimeError(f"{where}: {reply.status}")
    return sorted(found)[EACH // 2]
