"""From a row to a record, by a map. Deterministic: the same row makes the same record, whatever came before."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ledger.desk.conditions import Row, column, meets
from ledger.desk.fields import coerce, put
from ledger.desk.mapping import Map, Spec
from ledger.desk.preview import Remark
from ledger.desk.spellings import parse_date, parse_money
from ledger.errors import FormatError, Reason

__all__ = ["Mapped", "apply_map", "text_of"]

_HOLE = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True, slots=True)
class Mapped:
    """What a map makes of a row: the record's own keys, documents as (path, role), relations still to be resolved."""

    data: dict[str, Any]
    documents: tuple[tuple[str, str], ...]
    relations: tuple[Spec, ...]
    reasons: tuple[Reason, ...]
    warnings: tuple[Remark, ...]


def apply_map(chart: Map, row: Row, lang: str = "id") -> Mapped:
    """Return what ``chart`` makes of a row, with every reason against it; ``lang`` is that of the rules' sentences."""
    faults: list[Reason] = []
    constants, columns, dropped, relations = dict(chart.constants), dict(chart.columns), set[str](), []
    for rule in chart.when:
        if meets(rule["if"], row):
            constants |= rule.get("set", {})
            columns |= rule.get("columns", {})
            dropped |= set(rule.get("drop", ()))
            relations += [rule["relation"]] if "relation" in rule else []
    values = dict(constants)
    for key, source in columns.items():
        if key not in dropped and (value := _value(chart, source, row, key, faults)) is not None:
            values[key] = value
    data = _record({key: value for key, value in values.items() if key not in dropped}, chart)
    data["signatories"] = [_signatory(chart, one, row, faults) for one in chart.signatories]
    documents = [(str(name), str(one.get("role", "signed"))) for one in chart.documents
                 if (name := column(row, one["column"])) not in (None, "")]  # fmt: skip
    resolved = tuple(_relation(chart, one, row, faults) for one in relations)
    faults += [Reason("by-rule", path, values) for path, values in _told(chart.refuse, row, lang)]
    warnings = tuple(Remark("by-rule", path, values) for path, values in _told(chart.warn, row, lang))
    return Mapped(data, tuple(documents), resolved, tuple(faults), warnings)


def text_of(value: Any) -> str:
    """Return a scalar as text, without a change to its digits.

    Raises:
        FormatError: ``not-a-scalar``.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise FormatError(f"{value!r} is no text or number", code="not-a-scalar", value=str(value)[:60])
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _record(values: Spec, chart: Map) -> dict[str, Any]:
    """Put flat keys into their places, with fields typed by the kind's table."""
    data: dict[str, Any] = {"fields": {}, "extra": {}}
    kind = str(values.get("kind", ""))
    for key, value in values.items():
        head, _, rest = key.partition(".")
        if head == "fields":
            listed = value if isinstance(value, list) else [value]
            put(data["fields"], rest, coerce(kind, rest, listed, spoken=False))
        elif head == "extra":
            data["extra"][rest] = value if not isinstance(value, (int, Decimal)) else text_of(value)
        else:
            data[key] = text_of(value) if isinstance(value, (int, Decimal)) and key != "serial" else value
    return data


def _value(chart: Map, source: Any, row: Row, key: str, faults: list[Reason]) -> Any:
    """Return the value of one source, None if it is empty; what cannot be read becomes a reason."""
    spec: Spec = {"column": source} if isinstance(source, str) else source
    try:
        found = _found(spec, row)
        if found is None or found == "" or found == []:
            return None
        return _transformed(chart, spec, found)
    except FormatError as error:
        faults.append(Reason(error.code, key, error.values))
        return None


def _found(spec: Spec, row: Row) -> Any:
    if "column" in spec:
        return _cell(row, spec["column"])
    if "constant" in spec:
        return spec["constant"]
    if "first_of" in spec:
        return next((value for one in spec["first_of"] if (value := _cell(row, one)) not in (None, "")), None)
    if "join" in spec:
        parts = [text_of(value) for one in spec["join"] if (value := _cell(row, one)) not in (None, "")]
        return str(spec.get("with", " ")).join(parts)
    holes = {name: _cell(row, name) for name in _HOLE.findall(spec["template"])}
    if any(value in (None, "") for value in holes.values()):
        return None
    return _HOLE.sub(lambda match: text_of(holes[match[1]]), spec["template"])


def _cell(row: Row, path: str) -> Any:
    value = column(row, path)
    if isinstance(value, (Mapping, bool)):
        raise FormatError(f"{path} is no text or number", code="not-a-scalar", value=path)
    return value


def _transformed(chart: Map, spec: Spec, value: Any) -> Any:
    if "table" in spec:
        table, looked_up = chart.tables[spec["table"]], text_of(value)
        if looked_up not in table:
            values = {"value": looked_up[:80], "table": spec["table"]}
            raise FormatError(f"{looked_up!r} is not in {spec['table']}", code="not-in-table", **values)
        value = table[looked_up]
    if "money" in spec:
        value = parse_money(value, rupiah=spec["money"] == "rupiah")
    if "date" in spec:
        value = parse_date(text_of(value), spec["date"])
    return value if not spec.get("list") or isinstance(value, list) else [value]


def _signatory(chart: Map, spec: Spec, row: Row, faults: list[Reason]) -> dict[str, Any]:
    found = {
        key: one if isinstance(one, str) else _value(chart, one, row, f"signatories.{key}", faults)
        for key, one in spec.items()
        if key != "when"
    }
    for rule in spec.get("when", ()):
        if meets(rule["if"], row):
            found |= rule["set"]
    return {"capacity": "definitive", **{key: value for key, value in found.items() if value is not None}}


def _relation(chart: Map, spec: Spec, row: Row, faults: list[Reason]) -> dict[str, Any]:
    found = {key: value for key, value in spec.items() if isinstance(value, str)}
    for key, value in spec.items():
        if not isinstance(value, str) and (read := _value(chart, value, row, f"relations.{key}", faults)) is not None:
            found[key] = text_of(read)
    return found


def _told(rules: tuple[Spec, ...], row: Row, lang: str) -> Iterator[tuple[str, dict[str, object]]]:
    for rule in rules:
        if meets(rule["if"], row):
            yield rule["if"].get("column", ""), {"sentence": rule[lang]}
