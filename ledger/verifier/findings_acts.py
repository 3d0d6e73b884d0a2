"""Findings that one act gives by itself: noted when the act is read, so that no later run has to ask it again.

Kept of each act are:

    number-at-odds   a number without a digit, one that names another paper, or one with a month that does not exist
    incomplete …     what a contract leaves out, and values of it at odds with each other (``findings_contracts``)
    people           who signed the paper in which position, as short hashes: for terms that the roster gives only later

They are told with the other findings (``findings``).
"""

from __future__ import annotations

import functools
import hashlib
import re
import tomllib
from collections.abc import Iterator
from importlib import resources
from typing import Any

import orjson

from ledger.records.record import Record
from ledger.verifier.auditstate import AuditState
from ledger.verifier.findings_contracts import found_in

__all__ = ["FoundInActs", "look_at", "refresh", "rules_data", "who_of"]

NUMBER = "number-at-odds"
_MONTHS = {"I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"}
_WORD = re.compile(r"[A-Z]+")
_DIGIT = re.compile(r"[0-9]")
_PARTS = re.compile(r"[^A-Za-z0-9]+")
_OF_ACTS = (NUMBER, "incomplete", "values-at-odds", "direct")
_KEPT = "SELECT idx, ref, body, kind, number, office FROM acts ORDER BY idx"
_CODE = 1  # of the rules below: another one makes every act be asked again

Data = dict[str, Any]
Looked = tuple[list[tuple[str, str]], list[int]]


class FoundInActs:
    """Notes what acts give, act by act, into a state; to be kept in the transaction that keeps the acts."""

    def __init__(self, state: AuditState) -> None:
        self.state = state
        self._findings: list[tuple[str, int, int, str, str]] = []
        self._people: list[tuple[int, int]] = []
        self._is_new = state.head.size == 0

    def add(self, record: Record, index: int) -> None:
        """Ask an act."""
        self.note(index, record.ref, look_at(record.data))

    def note(self, index: int, ref: str, looked: Looked) -> None:
        """Note what an act has given."""
        found, people = looked
        self._findings += [(rule, index, n, ref, body) for n, (rule, body) in enumerate(found)]
        self._people += [(index, who) for who in people]

    def keep(self) -> None:
        """Write what has been noted."""
        connection = self.state.connection
        if self._findings:
            connection.executemany("INSERT INTO findings VALUES (?, ?, ?, ?, ?)", self._findings)
        connection.executemany("INSERT INTO people VALUES (?, ?)", self._people)
        self._findings, self._people = [], []
        if self._is_new:
            self.state.set_mark("acts-by", _version())
        self._is_new = False


def look_at(data: Data) -> Looked:
    """Return what one act gives: (rule, JSON) of each finding, and who signed the paper in which position."""
    rules, found = rules_data(), list[tuple[str, Any]]()
    if data["number"] is not None and not _is_plain(data["number"]):
        found += [(NUMBER, one) for one in _number_at_odds(rules, data)]
    if data["kind"] == "contract":
        found += found_in(rules, data)
    named = [one for one in data["signatories"] if "name" in one and one["capacity"] == "definitive"]
    people = [who_of(one["name"], one["position"]) for one in named] if named else []
    return [(rule, orjson.dumps(body).decode("utf-8")) for rule, body in found] if found else [], people


def refresh(state: AuditState) -> None:
    """Ask every act again where the rules are others than those by which they were asked."""
    if state.mark("acts-by") == _version():
        return
    for rule in _OF_ACTS:
        state.connection.execute("DELETE FROM findings WHERE rule = ?", (rule,))
    state.connection.execute("DELETE FROM people")
    state.set_mark("signatories-by", "")
    found = FoundInActs(state)
    for index, ref, body, kind, number, office in state.connection.execute(_KEPT):
        data = {"signatories": [], "kind": kind, "number": number, "office": office, **orjson.loads(body)}
        found.note(index, ref, look_at(data))
    found.keep()
    state.set_mark("acts-by", _version())


@functools.cache
def rules_data() -> Data:
    """Return what findings know of law and custom: ``rules.toml``."""
    return tomllib.loads(_rules_text())


@functools.cache
def _version() -> str:
    return f"{_CODE} {hashlib.sha256(_rules_text().encode('utf-8')).hexdigest()}"


@functools.cache
def _rules_text() -> str:
    return resources.files("ledger.verifier").joinpath("rules.toml").read_text("utf-8")


@functools.lru_cache(maxsize=4096)
def who_of(name: str, position: str) -> int:
    """Return a short hash of a person in a position, however it is capitalised; 62 bits."""
    text = f"{name.casefold()}\0{position.casefold()}".encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8]) >> 2


def _is_plain(number: str) -> bool:
    """Tell whether nothing can be found in a number, at a glance: it has a digit, and no word of which anything is known."""
    if not number.isascii() or _DIGIT.search(number) is None:
        return False
    upper = number.upper()
    return _maybe_telling().search(upper) is None or not any(map(_is_telling, _WORD.findall(upper)))


@functools.cache
def _maybe_telling() -> re.Pattern[str]:
    """Return what is in every number that tells something: a mark of some kind of paper, or two digits of a Roman number."""
    return re.compile("|".join(["[IVX][IVX]", *(re.escape(one["mark"]) for one in rules_data()["number_marks"])]))


@functools.lru_cache(maxsize=4096)
def _is_telling(word: str) -> bool:
    return _is_odd_month(word) or (len(word) > 1 and any(one["mark"] in word for one in rules_data()["number_marks"]))


def _number_at_odds(rules: Data, data: Data) -> Iterator[tuple[str, Data]]:
    number, kind = data["number"], data["kind"]
    values: Data = {"number": number, "office": data["office"], "kind": kind}
    words = _WORD.findall(number.upper())
    if not any(character.isdigit() for character in number):
        yield "number-without-digit", values
    marks = rules["number_marks"]
    mark = next((one for one in marks if one["mark"] in words), None)
    if mark is not None and kind not in mark["kinds"] and not any(one["mark"] in words and kind in one["kinds"] for one in marks):
        yield "number-names-other-paper", values | {"mark": mark["mark"]}  # but not one that names its own too, as SPK/BAST
    month = next((part for part in _PARTS.split(number) if _is_odd_month(part)), None)
    if month is not None:
        yield "month-malformed", values | {"month": month}


def _is_odd_month(part: str) -> bool:
    return len(part) > 1 and part not in _MONTHS and set(part) <= set("IVX")
