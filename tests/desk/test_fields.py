"""Facts typed as key=value get the type that the table of kinds asks for."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.desk.fields import coerce, parse_assignments, put, take_parts
from ledger.errors import UsageError
from ledger.records.kinds import FIELDS


@pytest.mark.parametrize(
    ("kind", "path", "values", "typed"),
    [
        ("contract", "value", ["Rp 1.234.567,50"], "1234567.50"),
        ("contract", "budget_year", ["2025"], 2025),
        ("contract", "plan_codes", ["541"], ["541"]),
        ("contract", "plan_codes", ["541", "542"], ["541", "542"]),
        ("contract", "procurement_code", ["10035581000"], "10035581000"),
        ("contract", "start_on", ["2 Januari 2025"], "2025-01-02"),
        ("contract", "supplier.name", ["CV Contoh"], "CV Contoh"),
        ("contract", "supplier.unknown", ["tidak tercantum"], "tidak tercantum"),
        ("contract", "changes", ['[{"field":"value","was":"1","becomes":"2"}]'], [{"field": "value", "was": "1", "becomes": "2"}]),
        ("void", "serials", ["4", "5"], [4, 5]),
        ("void", "serials", ["4"], [4]),
        ("regulation", "gazette.year", ["2025"], 2025),
        ("personnel", "action", ["appoint"], "appoint"),
    ],
)
def test_values_get_their_type(kind: str, path: str, values: list[str], typed: Any) -> None:
    """Integers, amounts, dates, lists and objects come out as the table wants them, and the table accepts them."""
    found = coerce(kind, path, values, spoken=True)
    assert found == typed
    assert type(found) is type(typed)
    tried: dict[str, Any] = {}
    put(tried, path, found)
    assert not [one for one in FIELDS[kind](tried, "fields") if one.path.startswith(f"fields.{path}")]


def test_what_fits_nowhere_stays_as_typed() -> None:
    """The record's check will say what is wrong with it; nothing is bent into shape."""
    assert coerce("contract", "value", ["1,234"], spoken=True) == "1,234"
    assert coerce("contract", "nonsense", ["5"], spoken=True) == "5"
    assert coerce("no-such-kind", "value", ["5"], spoken=True) == "5"


def test_unspoken_values_are_not_interpreted() -> None:
    """Without ``spoken`` an Indonesian spelling is not read: a map has to say so."""
    assert coerce("contract", "value", ["1.234"], spoken=False) == "1.234"


def test_assignments_need_a_key() -> None:
    """key=value, values may hold further signs; repeated keys are a list."""
    assert parse_assignments(["a=1=2", "b=", "a=3"]) == {"a": ["1=2", "3"], "b": [""]}
    for text in ("a", "=1"):
        with pytest.raises(UsageError):
            parse_assignments([text])


def test_parts_are_known_or_refused() -> None:
    """head;key=value with known keys only."""
    assert take_parts("Sekretaris;capacity=plt;name=A", ("capacity", "name")) == ("Sekretaris", {"capacity": "plt", "name": "A"})
    for text in ("x;y", "x;z=1"):
        with pytest.raises(UsageError):
            take_parts(text, ("y",))


def test_a_path_through_a_value_is_refused() -> None:
    """supplier=x and supplier.name=y cannot both stand."""
    with pytest.raises(UsageError) as error:
        put({"supplier": "x"}, "supplier.name", "y")
    assert error.value.code == "bad-path"
