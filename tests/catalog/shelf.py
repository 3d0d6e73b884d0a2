"""A catalogue of made-up acts, and the slow and simple way to search them."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ledger.catalog import bits, blocks, feeding, finder, memory
from ledger.catalog.catalog import Catalog, Row
from ledger.catalog.feeding import Feed, Feeder
from ledger.catalog.filters import FACETS, Filter
from ledger.catalog.rows import lag_days
from ledger.records.entry import format_time, local_date, parse_time

WORDS = ["wali", "kota", "walikota", "ka", "jalan", "jalanan", "pasar", "dinas", "pasardinas", "trotoar"]
OFFSET = "+07:00"
FACTS = {"founding": "f" * 64, "utc_offset": OFFSET}


def row(index: int, **changes: Any) -> Row:
    """Return a row with usual values."""
    usual: dict[str, Any] = {
        "time": format_time(parse_time("2026-01-01T00:00:00Z") + index * 3600),
        "id": hashlib.sha256(b"%d" % index).hexdigest(),
        "ref": "19JVNJXPQJS",
        "kind": "decision",
        "form": "sk",
        "office": "hukum",
        "number": None,
        "title": f"Act {index}",
        "signed_on": "2026-01-01",
        "currency": None,
        "value": None,
        "supplier": None,
        "method": None,
        "documents": 1,
    }
    fields = {**usual, **changes}
    recorded_on = local_date(fields["time"], OFFSET)
    return Row(index=index, recorded_on=recorded_on, lag_days=lag_days(fields["signed_on"], recorded_on), **fields)


def feed(index: int, *texts: str, documents: Sequence[tuple[str, str]] = (), **changes: Any) -> Feed:
    """Return an act found under ``texts``, its number and its value."""
    made = row(index, **changes)
    return Feed(made, (*texts, *([made.number] if made.number else [])), (), documents)


def some_acts(count: int, seed: int = 0) -> list[Feed]:
    """Return acts with few words and few values, so that everything coincides; some entries are no acts."""
    chance = random.Random(seed)
    acts = []
    for index in range(count):
        if chance.random() < 0.1:
            continue
        value = chance.choice([None, "1", "10", "9.5", "100", "1000000"])
        acts.append(
            feed(
                index,
                *(" ".join(chance.choices(WORDS, k=chance.randrange(1, 5))) for _ in range(2)),
                kind=chance.choice(["contract", "decision"]),
                form=chance.choice(["sk", "spk", "se"]),
                office=chance.choice(["pu", "hukum", "tani"]),
                signed_on=f"{chance.choice([2024, 2025, 2026])}-0{chance.randrange(1, 10)}-11",
                value=value,
                currency=value and "IDR",
                supplier=chance.choice([None, "CV Satu", "CV Dua", "PT Tiga"]),
                method=chance.choice([None, "Tender", "Pengadaan Langsung"]),
                number=chance.choice([None, "138/728", "13/8728", f"{index}/SPK/2026"]),
            )
        )
    return acts


def fill(path: Path, acts: Sequence[Feed], size: int, *, batch: int = 40) -> Catalog:
    """Feed ``acts`` as ``size`` entries, in batches."""
    feeder = Feeder(path, **FACTS)
    for start in range(feeder.size, size, batch):
        end = min(size, start + batch)
        feeder.add([act for act in acts if start <= act.row.index < end], start=start, size=end, leaf=f"{end:064x}")
    feeder.seal()
    feeder.close()
    return Catalog(path)


def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 64 entries, in which three acts make a term frequent."""
    for module in (bits, blocks, feeding, finder, memory):
        monkeypatch.setattr(module, "BLOCK", 64)
    for name, value in (("SAMPLED", 2), ("_HOT", 3), ("_STILL_HOT", 2), ("_LEAST_SAMPLES", 1)):
        monkeypatch.setattr(blocks, name, value)
    monkeypatch.setattr(feeding, "SAMPLED", 2)


def chosen(acts: Sequence[Feed], wanted: Filter, *, without: str = "") -> Iterator[Row]:
    """Yield the rows that a filter without words means, ``without`` one of its facets, by looking at each."""
    for one in (act.row for act in acts):
        values = {**{name: getattr(one, name) for name in FACETS if name != "year"}, "year": one.signed_on[:4]}
        fits = all(not getattr(wanted, name) or name == without or values[name] in getattr(wanted, name) for name in FACETS)
        if fits and (wanted.since or "0") <= one.recorded_on <= (wanted.until or "9"):
            yield one


def in_order(rows: Sequence[Row], sort: str) -> list[Row]:
    """Return ``rows`` in an order: without a value last, equal ones by index."""
    down = sort.startswith("-")
    by_index = sorted(rows, key=lambda one: one.index, reverse=down)
    if sort.endswith("recorded"):
        return by_index
    if sort.endswith("signed"):
        return sorted(by_index, key=lambda one: one.signed_on, reverse=down)
    valued = [one for one in by_index if one.value is not None]
    return sorted(valued, key=lambda one: float(one.value or 0), reverse=down) + [one for one in by_index if one.value is None]


def counted(rows: Sequence[Row], facet: str) -> dict[str, int]:
    """Return how often each value of a facet occurs."""
    values = [one.signed_on[:4] if facet == "year" else getattr(one, facet) for one in rows]
    return dict(Counter(value for value in values if value is not None))


def has_words(act: Feed, q: str, acts: Sequence[Feed]) -> bool:
    """Tell whether an act has every word of ``q`` (letters and spaces only), as the documentation says."""
    typed = q.split()
    words, pairs = _said(act)
    for place, word in enumerate(typed):
        last = place == len(typed) - 1
        joined = [("".join(typed[at : at + 2]), at + 2 == len(typed)) for at in (place - 1, place) if 0 <= at < len(typed) - 1]
        begun = last and len(word) >= 5 and not any(_has(_said(one)[0], word, True) or word in _said(one)[1] for one in acts)
        if begun and any(one.startswith(word) for one in pairs):
            continue
        if not (_has(words, word, last) or word in pairs or any(_has(words, *one) for one in joined)):
            return False
    return bool(typed)


def _said(act: Feed) -> tuple[set[str], set[str]]:
    texts = [text.lower().split() for text in act.texts]
    pairs = {first + second for text in texts for first, second in pairwise(text) if (first + second).isalpha()}
    return {word for text in texts for word in text}, pairs


def _has(words: set[str], word: str, last: bool) -> bool:
    return word in words or (last and len(word) >= 3 and any(one.startswith(word) for one in words))
