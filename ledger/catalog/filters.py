"""A filter: which published acts somebody wants to see, as query parameters write it.

    q=trotoar&office=dinas-pu&office=dpmptsp&year=2026&sort=-value

Values of one facet are alternatives, different facets must all hold. The same parameters mean the same on pages, in the
API, in exports and in feeds, so a saved search is a feed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from ledger.errors import UsageError
from ledger.records.shapes import date_of

__all__ = ["FACETS", "SORTS", "Filter"]

FACETS = ("form", "kind", "office", "year", "supplier", "method")
SORTS = ("-recorded", "recorded", "-signed", "signed", "-value", "value")
_SINGLE = ("q", "since", "until", "sort")
_MOST_VALUES = 32
_LONGEST = 400
_RIGHT: dict[str, Callable[[str], bool]] = {
    "sort": lambda value: value in SORTS,
    "year": lambda value: re.fullmatch("[0-9]{4}", value, re.ASCII) is not None,
    "since": lambda value: date_of(value) is not None,
    "until": lambda value: date_of(value) is not None,
}


@dataclass(frozen=True, slots=True)
class Filter:
    """What is wanted: words ``q``, values by facet, first and last local date of recording, and the order.

    ``year`` is that of the paper's date. ``-recorded`` (the newest entry first) is the usual order.
    """

    q: str = ""
    form: tuple[str, ...] = ()
    kind: tuple[str, ...] = ()
    office: tuple[str, ...] = ()
    year: tuple[str, ...] = ()
    supplier: tuple[str, ...] = ()
    method: tuple[str, ...] = ()
    since: str = ""
    until: str = ""
    sort: str = "-recorded"

    @classmethod
    def read(cls, pairs: Iterable[tuple[str, str]]) -> Filter:
        """Return the filter in query parameters; empty values count as absent, parameters of others are passed over.

        Raises:
            UsageError: ``bad-filter``: a value that cannot be meant, too long, or given too often.
        """
        found: dict[str, list[str]] = {}
        for name, value in pairs:
            if name in FACETS + _SINGLE and value.strip():
                found.setdefault(name, []).append(value.strip())
        for name, values in found.items():
            cls._check(name, values)
        facets = {name: tuple(dict.fromkeys(found[name])) for name in FACETS if name in found}
        return cls(**facets, **{name: found[name][0] for name in _SINGLE if name in found})  # type: ignore[arg-type]

    @staticmethod
    def _check(name: str, values: Sequence[str]) -> None:
        most, right = _MOST_VALUES if name in FACETS else 1, _RIGHT.get(name, str.isprintable)
        if len(values) > most or any(len(value) > _LONGEST or not right(value) for value in values):
            raise UsageError(f"{name}={values[0][:60]!r}", code="bad-filter", name=name, value=values[0][:60])

    def pairs(self) -> list[tuple[str, str]]:
        """Return the query parameters that ``read`` would read as this filter; the usual order is left out."""
        found = [("q", self.q)] if self.q else []
        found += [(name, value) for name in FACETS for value in getattr(self, name)]
        found += [(name, getattr(self, name)) for name in ("since", "until") if getattr(self, name)]
        return found + ([("sort", self.sort)] if self.sort != "-recorded" else [])

    def without(self, name: str, value: str | None = None) -> Filter:
        """Return the filter without one value of a facet, or without all of them."""
        if name in _SINGLE:
            return replace(self, **{name: "-recorded" if name == "sort" else ""})  # type: ignore[arg-type]
        left = tuple(one for one in getattr(self, name) if value is not None and one != value)
        return replace(self, **{name: left})  # type: ignore[arg-type]

    def with_value(self, name: str, value: str) -> Filter:
        """Return the filter with one more value of a facet."""
        return replace(self, **{name: tuple(dict.fromkeys((*getattr(self, name), value)))})  # type: ignore[arg-type]
