"""What a request asks for, read strictly.

A parameter that nobody knows, or one without a value, is refused: a typing error never widens an answer.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from flask import request

from ledger.catalog.filters import FACETS, Filter
from ledger.errors import UsageError
from ledger.words import LANGUAGES

__all__ = ["allow", "digest", "entry_index", "filter_of", "whole_number"]

_ALWAYS = ("lang",)
_FILTER_SINGLE = ("q", "since", "until", "sort")
_SHOWN = 60


def allow(single: Collection[str] = (), several: Collection[str] = ()) -> None:
    """Accept the query if it names nothing but these parameters, each of ``single`` once at most.

    Raises:
        UsageError: ``unknown-parameter``, ``empty-parameter``, ``parameter-twice``.
    """
    wished = request.args.get("lang", LANGUAGES[0])
    if wished not in LANGUAGES:
        raise UsageError(f"lang={wished[:_SHOWN]!r}", code="bad-filter", name="lang", value=wished[:_SHOWN])
    for name in request.args:
        if name not in (*_ALWAYS, *single, *several):
            known = {"name": name[:_SHOWN], "known": ", ".join((*single, *several, *_ALWAYS))}
            raise UsageError(f"parameter {name[:_SHOWN]!r}", code="unknown-parameter", **known)
        if any(not value.strip() for value in request.args.getlist(name)):
            raise UsageError(f"parameter {name} is empty", code="empty-parameter", name=name)
        if name not in several and len(request.args.getlist(name)) > 1:
            raise UsageError(f"parameter {name} twice", code="parameter-twice", name=name)


def filter_of(*others: str) -> Filter:
    """Return the filter that the query states; ``others`` are the further parameters that it may hold.

    Raises:
        UsageError: an unknown parameter, or ``bad-filter``.
    """
    allow((*_FILTER_SINGLE, *others), FACETS)
    return Filter.read(request.args.items(multi=True))


def whole_number(name: str, usual: int, low: int, high: int) -> int:
    """Return a parameter that is a whole number in ``low … high``, or ``usual`` where it is not given.

    Raises:
        UsageError: ``bad-parameter``.
    """
    text = request.args.get(name)
    if text is None:
        return usual
    if not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII) or not low <= int(text) <= high:
        values = {"name": name, "value": text[:_SHOWN], "low": low, "high": high}
        raise UsageError(f"{name}={text[:_SHOWN]!r}", code="bad-number-parameter", **values)
    return int(text)


def entry_index(text: str, size: int) -> int:
    """Return the index that a path names, of the ``size`` entries that are there.

    Raises:
        UsageError: ``no-such-entry``.
    """
    if not re.fullmatch(r"0|[1-9][0-9]{0,15}", text, re.ASCII) or int(text) >= size:
        raise UsageError(f"no entry {text[:_SHOWN]!r}", code="no-such-entry", index=text[:_SHOWN], size=size)
    return int(text)


def digest(name: str, text: str) -> str:
    """Return ``text`` if it is a SHA-256 in lower-case hex.

    Raises:
        UsageError: ``bad-digest-parameter``.
    """
    if not re.fullmatch(r"[0-9a-f]{64}", text, re.ASCII):
        raise UsageError(f"{name}={text[:_SHOWN]!r}", code="bad-digest-parameter", name=name, value=text[:_SHOWN])
    return text
