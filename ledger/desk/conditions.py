"""Conditions of a map's rules: what a row's columns are, asked without changing them.

    { column = "value", above = "ceiling" }     { all = [ … ] }  { any = [ … ] }  { not = … }

A condition that compares with an empty cell is not met; ``missing`` asks for the empty cell itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ledger.desk.mapping import Spec
from ledger.desk.spellings import parse_money
from ledger.errors import FormatError

__all__ = ["Row", "column", "meets"]

Row = Mapping[str, Any]


def column(row: Row, path: str) -> Any:
    """Return the value of a column, or of a dotted path into objects and lists; None where there is none."""
    if path in row:
        return row[path]
    found: Any = row
    for part in path.split("."):
        if isinstance(found, Mapping):
            found = found.get(part)
        elif isinstance(found, list) and part.isascii() and part.isdigit() and int(part) < len(found):
            found = found[int(part)]
        else:
            return None
    return found


def meets(test: Spec, row: Row) -> bool:
    """Tell whether a row meets a condition; one that compares with an empty cell is not met."""
    if "all" in test:
        return all(meets(one, row) for one in test["all"])
    if "any" in test:
        return any(meets(one, row) for one in test["any"])
    if "not" in test:
        return not meets(test["not"], row)
    value = column(row, test["column"])
    if "missing" in test:
        return (value is None or value == "") is bool(test["missing"])
    if value is None or value == "":
        return False
    return all(_compare(name, value, wanted, row) for name, wanted in test.items() if name != "column")


def _compare(name: str, value: Any, wanted: Any, row: Row) -> bool:
    if name in ("equals", "not_equals"):
        return _same(value, wanted) is (name == "equals")
    if name == "one_of":
        return any(_same(value, one) for one in wanted)
    if name == "matches":
        return re.search(str(wanted), str(value)) is not None
    if name == "longer_than":
        return len(str(value)) > int(wanted)
    other = column(row, wanted) if isinstance(wanted, str) else wanted
    if other is None or other == "":
        return False
    if name == "same_as":
        return _same(value, other)
    left, right = _number(value), _number(other)
    if left is None or right is None:
        return False
    return left > right if name == "above" else left < right


def _same(value: Any, wanted: Any) -> bool:
    """CSV has only texts: ``true`` and ``1`` there are the map's true and 1."""
    if isinstance(value, str) and not isinstance(wanted, str):
        return value.lower() == str(wanted).lower()
    return type(value) is type(wanted) and bool(value == wanted)


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool):
        return None
    try:
        return Decimal(parse_money(value)) if isinstance(value, (str, int, Decimal)) else None
    except FormatError:
        return None
