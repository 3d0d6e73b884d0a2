"""A map from the columns of a table or JSON lines to records: MAP.toml.

    [constants]                             # the same for every row
    kind = "contract"
    language = "id"

    [columns]                               # record key = where it comes from
    number = "contract_number"              # a column; "buyer.unit" leads into an object
    signed_on = { column = "tanggal", date = ["long"] }
    "fields.value" = { column = "nilai", money = "rupiah" }
    "fields.supplier.name" = { first_of = ["penyedia", "supplier.name"] }
    office = { column = "buyer.unit_code", table = "offices" }
    title = { template = "{jenis} {nama}" }

    [tables.offices]
    "5.02" = "badan-keuangan"

    [[signatories]]                         # position, name, capacity, basis: constants, or { column = … }
    [[documents]]                           # column, role: files beside the source; without any, the row is the document

    [[when]]                                # for rows that meet a condition
    if = { column = "is_amendment", equals = true }
    set = { form = "addendum" }             # constants; also: columns = {…}, drop = […]
    relation = { type = "amends", earlier = "same-number" }

    [[refuse]]                              # rows that an official must look at first ([[warn]]: publish, but say so)
    if = { column = "value", above = "ceiling" }
    id = "…"
    en = "…"

A map moves and spells; it never invents. An empty cell leaves its key out.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ledger.desk.spellings import DATE_FORMS
from ledger.errors import UsageError

__all__ = ["Map", "Spec", "load_map", "parse_map"]

_TABLES = ("constants", "columns", "tables", "signatories", "documents", "when", "refuse", "warn")
_SOURCES = ("column", "constant", "template", "first_of", "join")
_OPTIONS = ("table", "money", "date", "list", "with")
_TESTS = ("equals", "not_equals", "missing", "matches", "above", "below", "same_as", "longer_than", "one_of", "column")
_NESTED = ("all", "any", "not")
_RECORD = (
    "kind", "form", "office", "number", "unnumbered_reason", "title", "language", "ref", "series", "serial",
    "signed_on", "drafted_on", "promulgated_on", "effective_on", "expires_on",
)  # fmt: skip

Spec = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Map:
    """A checked MAP.toml; ``path`` is for messages."""

    path: str
    constants: Spec
    columns: Spec
    tables: Mapping[str, Spec]
    signatories: tuple[Spec, ...]
    documents: tuple[Spec, ...]
    when: tuple[Spec, ...]
    refuse: tuple[Spec, ...]
    warn: tuple[Spec, ...]


def load_map(path: Path) -> Map:
    """Return the map in a file.

    Raises:
        UsageError: it cannot be read, or says something that no map says.
    """
    try:
        return parse_map(path.read_text("utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {error}", code="file-unreadable", path=str(path), problem=str(error)) from None


def parse_map(text: str, path: str = "MAP.toml") -> Map:
    """Return the map that ``text`` is.

    Raises:
        UsageError: ``bad-map``, with the place.
    """
    try:
        found = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:  # brackets nested by the thousand
        raise _bad(path, str(error)) from None
    for name, value in found.items():
        wanted = list if name in ("signatories", "documents", "when", "refuse", "warn") else dict
        if name not in _TABLES or type(value) is not wanted:
            raise _bad(path, name)
    many = {name: tuple(found.get(name, ())) for name in ("signatories", "documents", "when", "refuse", "warn")}
    made = Map(path, found.get("constants", {}), found.get("columns", {}), found.get("tables", {}), **many)
    _check(made)
    return made


def _check(chart: Map) -> None:
    """Refuse a map with misspelled keys: they would be passed over silently."""
    sources = {**chart.columns}
    for rule in (*chart.when, *chart.refuse, *chart.warn):
        _check_test(chart, rule.get("if"))
    for rule in chart.when:
        sources |= rule.get("columns", {})
        _check_keys(chart, rule, ("if", "set", "columns", "drop", "relation"))
        _check_targets(chart, (*rule.get("set", {}), *rule.get("columns", {}), *rule.get("drop", ())))
        if "relation" in rule and not {"type"} < set(rule["relation"]):
            raise _bad(chart.path, "relation")
    for rule in (*chart.refuse, *chart.warn):
        _check_keys(chart, rule, ("if", "id", "en"), need=("id", "en"))
    for one in chart.signatories:
        _check_keys(chart, one, ("position", "name", "capacity", "basis", "when"), need=("position",))
        for rule in one.get("when", ()):
            _check_keys(chart, rule, ("if", "set"), need=("if", "set"))
            _check_test(chart, rule["if"])
    for one in chart.documents:
        _check_keys(chart, one, ("column", "role"), need=("column",))
    _check_targets(chart, (*chart.constants, *chart.columns))
    for key, source in sources.items():
        _check_source(chart, key, source)


def _check_source(chart: Map, key: str, source: Any) -> None:
    if isinstance(source, str):
        return
    if type(source) is not dict or sum(name in source for name in _SOURCES) != 1:
        raise _bad(chart.path, key)
    _check_keys(chart, source, (*_SOURCES, *_OPTIONS))
    if "table" in source and source["table"] not in chart.tables:
        raise _bad(chart.path, f"{key}: [tables.{source['table']}]")
    if not set(source.get("date", ())) <= set(DATE_FORMS) or source.get("money", "plain") not in ("plain", "rupiah"):
        raise _bad(chart.path, key)


def _check_test(chart: Map, test: Any) -> None:
    if type(test) is not dict:
        raise _bad(chart.path, "if")
    nested = [name for name in _NESTED if name in test]
    if nested:
        _check_keys(chart, test, (nested[0],))
        for one in test[nested[0]] if nested[0] != "not" else [test["not"]]:
            _check_test(chart, one)
        return
    _check_keys(chart, test, _TESTS, need=("column",))
    try:
        re.compile(test.get("matches", ""))
    except (re.error, TypeError):
        raise _bad(chart.path, f"matches = {test['matches']!r}") from None


def _check_keys(chart: Map, table: Any, known: tuple[str, ...], need: tuple[str, ...] = ()) -> None:
    wrong = sorted(set(table) - set(known)) + [key for key in need if key not in table]
    if wrong:
        raise _bad(chart.path, wrong[0])


def _check_targets(chart: Map, keys: tuple[str, ...]) -> None:
    for key in keys:
        head, sign, rest = key.partition(".")
        if key not in _RECORD and not (head in ("fields", "extra") and sign and rest):
            raise _bad(chart.path, key)


def _bad(path: str, problem: str) -> UsageError:
    return UsageError(f"{path}: {problem}", code="bad-map", path=path, problem=problem)
