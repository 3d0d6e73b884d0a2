"""The glossary: both languages say the same, every code has its sentence, and no sentence claims what was not checked."""

from __future__ import annotations

import ast
import re
import string
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import errors, words
from ledger.errors import AdmissionError, ConflictError, FormatError, KeyFileError, LedgerError, Reason, StoreError
from ledger.words import LANGUAGES, choose_language, escape, explain, say, say_reason

ROOT = Path(__file__).parents[1]
GLOSSARY = tomllib.loads((ROOT / "ledger" / "words.toml").read_text("utf-8"))
SENTENCES = {f"{section}.{key}": entry for section, entries in GLOSSARY.items() for key, entry in entries.items()}
SOURCES = sorted(path for room in ("ledger", "web") for path in (ROOT / room).rglob("*.py"))

# Design, section 9: what is never said to people. Operators read other sections (status, fsck, error ...).
FOR_PEOPLE = ("audit", "bundle", "check", "fact", "finding", "label", "page", "preview", "verdict", "verify")
NEVER = {
    "en": r"valid\w*|invalid\w*|genuine\w*|authentic\w*|in force|fake\w*|forge\w*|fingerprints?|witnessed by|endorsed"
    r"|missing numbers?|gazette|promulgated|pending|sequencer|merkle|origin",
    "id": r"valid|asli|keaslian|otentik|autentik|sah|berlaku|palsu|sidik jari|disaksikan|nomor hilang|diundangkan|pencatat",
}
ALLOWED = {
    ("audit.never", "sah"): "says that lawfulness is not checked",
    ("check.lawful", "sah"): "the same",
    ("check.typed-not-found", "palsu"): "says that not found does not mean forged",
    ("fact.date-promulgated_on", "diundangkan"): "the paper's own date, as stated by the office",
    ("fact.date-promulgated_on", "promulgated"): "the same",
    ("finding.no-number-book", "missing numbers"): "says that no statement is possible",
    ("finding.title-no-number-book", "missing numbers"): "the same",
}


def placeholders(sentence: str) -> set[str]:
    """The names in braces; conversions, formats, attributes and indexes are not used."""
    found = set()
    for _, name, spec, conversion in string.Formatter().parse(sentence):
        if name is not None:
            assert name.isidentifier(), sentence
            assert not spec, sentence
            assert conversion is None, sentence
            found.add(name)
    return found


def calls() -> Iterator[tuple[str, ast.Call, str]]:
    """Every call in the source: where it stands, the call, and the bare name that is called."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node, name


def texts(node: ast.expr) -> list[str]:
    """The string constants that an expression may yield: itself, or the arms of a conditional."""
    if isinstance(node, ast.IfExp):
        return texts(node.body) + texts(node.orelse)
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


def raised() -> Iterator[tuple[str, str, set[str] | None]]:
    """Every error raised with a code: where, the code, and its values' names (None where they cannot be read off)."""
    kinds = {name for name in errors.__all__ if issubclass(getattr(errors, name), LedgerError)}
    for where, call, name in calls():
        if name in kinds:
            given_names = {one.arg for one in call.keywords}
            values = None if None in given_names else {str(one) for one in given_names} | {"detail"}
            for keyword in call.keywords:
                if keyword.arg == "code":
                    for code in texts(keyword.value):
                        yield where, code, values


def reasons() -> Iterator[tuple[str, str, set[str] | None]]:
    """Every reason of a refusal: where, its code, and its values' names."""
    for where, call, name in calls():
        if name == "Reason" and call.args:
            values: set[str] | None = {"path", "detail"}
            if len(call.args) > 2:
                third = call.args[2]
                readable = isinstance(third, ast.Dict) and all(isinstance(key, ast.Constant) for key in third.keys)
                values = {"path", "detail", *(key.value for key in third.keys)} if readable else None
            for code in texts(call.args[0]):
                yield where, code, values


def test_every_sentence_is_there_in_both_languages_with_the_same_values():
    """Each entry has exactly the two languages, well-formed, not empty, with the same placeholders."""
    for key, entry in SENTENCES.items():
        assert set(entry) == set(LANGUAGES), key
        assert placeholders(entry["id"]) == placeholders(entry["en"]), key
        assert all(sentence.strip() for sentence in entry.values()), key


def test_every_error_class_has_its_sentence():
    """Whatever code an error carries, its class can speak for it."""
    for name in errors.__all__:
        kind = getattr(errors, name)
        if issubclass(kind, LedgerError):
            assert f"error.{kind.code}" in SENTENCES, name


def test_every_code_in_the_source_has_its_sentence():
    """A code without a sentence would show a person an engineer's English."""
    missing = [f"{where} error.{code}" for where, code, _ in raised() if f"error.{code}" not in SENTENCES]
    for where, code, _ in reasons():
        if not {f"reason.{code}", f"error.{code}"} & SENTENCES.keys():
            missing.append(f"{where} reason.{code}")
    for where, call, name in calls():
        if name == "Check" and len(call.args) > 2:
            section = "audit" if where.startswith("ledger/verifier/audit") else "check"
            for code in texts(call.args[2]):
                if not {f"{section}.{code}", f"reason.{code}", f"error.{code}"} & SENTENCES.keys():
                    missing.append(f"{where} {section}.{code}")
        if name == "Finding" and call.args:
            keys = [f"finding.{part}{code}" for code in texts(call.args[0]) for part in ("", "title-")]
            missing += [f"{where} {key}" for key in keys if key not in SENTENCES]
        if name == "say" and call.args:
            missing += [f"{where} {key}" for key in texts(call.args[0]) if key not in SENTENCES]
    assert not missing, "\n".join(missing)


def test_every_value_that_a_sentence_names_is_given():
    """A sentence that waits for a value which its error never carries would show a gap."""
    gaps = []
    for section, found in (("error", raised()), ("reason", reasons())):
        for where, code, values in found:
            entry = SENTENCES.get(f"{section}.{code}") or SENTENCES.get(f"error.{code}", {"en": ""})
            if values is not None and not placeholders(entry["en"]) <= values:
                gaps.append(f"{where} {section}.{code}: {sorted(placeholders(entry['en']) - values)}")
    assert not gaps, "\n".join(gaps)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_sentence_for_people_uses_a_word_that_is_never_said(lang):
    """Design, section 9: not valid, genuine, in force, witnessed by; the exceptions say what is *not* claimed."""
    never = re.compile(rf"\b(?:{NEVER[lang]})\b", re.IGNORECASE)
    found = []
    for key, entry in SENTENCES.items():
        if key.partition(".")[0] in FOR_PEOPLE:
            bare = re.sub(r"\{\w+\}", "", entry[lang])
            found += [(key, word.lower()) for word in never.findall(bare) if (key, word.lower()) not in ALLOWED]
    assert not found, found


def test_values_stand_in_their_places():
    """Both languages carry the value."""
    for lang in LANGUAGES:
        assert "/tmp/x.pem" in say("error.key-exists", lang, path="/tmp/x.pem")
        assert say("error.key-exists", lang, path="x") != say("error.key-not-found", lang, path="x")


def test_a_missing_word_or_value_never_stops_an_answer():
    """Unknown keys, sections, languages and values give something readable, never an exception."""
    assert "…" in say("error.key-exists", "en")
    assert say("no.such", "en") == "no.such"
    assert say("error", "en") == "error"
    assert say("error.key-exists.en", "en", a=1) == "error.key-exists.en (a=1)"
    assert say("error.key-exists", "fr", path="x") == "error.key-exists (path=x)"
    assert say("error.key-exists", "en", path="{0} {path!r} {").startswith("{0} {path!r} { exists")


def test_values_may_bear_any_name():
    """A value named like a parameter does not clash with it."""
    assert explain(KeyFileError("d", code="no-such", key="k", lang="l"), "en").startswith("A key file cannot be used: d")


def test_an_error_falls_back_to_its_class_and_carries_its_detail():
    """A code without a sentence is said in the words of its class."""
    assert explain(FormatError("line 3", code="not-in-the-glossary"), "en") == explain(FormatError("line 3"), "en")
    assert "line 3" in explain(FormatError("line 3"), "id")
    assert "7" in explain(ConflictError("stale", known_size=7), "en")
    for error in (LedgerError("x"), StoreError("x")):
        assert explain(error, "id") != explain(error, "en")


def test_a_refusal_lists_every_reason_on_its_own_line():
    """All reasons at once, each with its path and values; a code of an error is found as well."""
    found = [Reason("missing", "title"), Reason("bad-date", "signed_on", {"value": "x\ny"}), Reason("signature")]
    lines = explain(AdmissionError(found), "en").split("\n")
    assert len(lines) == 4
    assert "title" in lines[1]
    assert r"x\u{000A}y" in lines[2]
    assert say_reason(Reason("not-in-the-glossary", "a.b"), "en").startswith("error.not-in-the-glossary")


@pytest.mark.parametrize(
    ("option", "env", "language"),
    [
        ("en", {"LANG": "id_ID.UTF-8"}, "en"),
        ("id", {"LANG": "en_US.UTF-8"}, "id"),
        (None, {"LANG": "id_ID.UTF-8"}, "id"),
        (None, {"LANG": "in_ID"}, "id"),
        (None, {"LANG": "id"}, "id"),
        (None, {"LANG": "ido"}, "en"),
        (None, {"LANG": "inh_RU"}, "en"),
        (None, {"LANG": "C.UTF-8"}, "en"),
        (None, {"LANG": "POSIX"}, "en"),
        (None, {}, "en"),
        ("fr", {"LANG": "id_ID"}, "id"),
        (None, {"LC_ALL": "en_US", "LANG": "id_ID"}, "en"),
        (None, {"LC_ALL": "", "LC_MESSAGES": "id_ID", "LANG": "en_US"}, "id"),
    ],
)
def test_the_language_is_chosen_by_option_then_locale(option, env, language):
    """--lang wins; then LC_ALL, LC_MESSAGES, LANG in this order; an unknown locale reads English."""
    assert choose_language(option, env) == language


@given(st.text())
def test_escaped_text_is_one_safe_line(text):
    """Nothing that moves the cursor, hides or turns text around is left, and printable text is untouched."""
    shown = escape(text)
    assert shown.isprintable() or all(one.isprintable() or one.isspace() for one in shown)
    assert len(shown.splitlines()) <= 1
    assert not set(shown) & set("\x1b\n\r\t\x9b\u202e\u2066\u200b\u2028\ufeff\x00")
    if text.isprintable():
        assert shown == text


def test_dangerous_characters_are_shown_by_number():
    """Control, bidirectional, format, surrogate and line separators have a visible spelling."""
    assert escape("a\x1b[31mb\u202ec\u2028d\ud800") == r"a\u{001B}[31mb\u{202E}c\u{2028}d\u{D800}"
    assert escape("Résumé 役所 – “ya”") == "Résumé 役所 – “ya”"
    assert escape("\U000e0001\u2029\x85\t") == r"\u{E0001}\u{2029}\u{0085}\u{0009}"


def test_tables_are_found_one_by_one_as_a_parser_finds_them_all() -> None:
    """Whatever path is asked for, what stands there is what the whole file holds; a name within a sentence is nothing."""

    def paths(table: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
        for key, value in table.items():
            if isinstance(value, dict):
                yield f"{path}{key}", value
                yield from paths(value, f"{path}{key}.")

    for path, value in paths(GLOSSARY):
        assert words._find(path) == value, path
    assert words._find("error.disk-full.id") == words._find("nowhere") == words._find("") == {}
