"""The words that people read: one glossary, Indonesian and English, in ``words.toml``.

Parts of the ledger speak in codes and values; here they become sentences. A missing word or placeholder never stops an
answer: the code itself is shown instead.
"""

from __future__ import annotations

import functools
import re
import tomllib
import unicodedata
from collections.abc import Mapping
from importlib import resources
from typing import Any

from ledger.errors import AdmissionError, LedgerError, Reason

__all__ = ["LANGUAGES", "choose_language", "escape", "explain", "has_words", "say", "say_reason", "sentences"]

LANGUAGES = ("id", "en")
_HEADER = re.compile(r"(?m)^\[([^\[\]\n]+)\]$")


def say(key: str, lang: str, /, **values: object) -> str:
    """Return the sentence ``key`` (dotted path in the glossary) in ``lang``, with ``values`` in their places."""
    shown = {name: escape(str(value)) for name, value in values.items()}
    sentence = _find(key).get(lang)
    if not isinstance(sentence, str):
        named = ", ".join(f"{name}={value}" for name, value in shown.items())
        return escape(f"{key} ({named})" if named else key)
    return sentence.format_map(_Values(shown))


def has_words(key: str) -> bool:
    """Tell whether the glossary knows ``key``; what it does not know is shown as it was written."""
    return bool(_find(key))


def sentences(section: str, lang: str) -> dict[str, str]:
    """Return the sentences of a section in ``lang`` as they are written, for a reader that fills their places in itself."""
    return {key: entry[lang] for key, entry in _find(section).items()}


def explain(error: LedgerError, lang: str) -> str:
    """Return what ``error`` means for a person; a refusal lists all its reasons, a line each."""
    values = {"detail": error.detail, **error.values}
    key = f"error.{error.code}" if _find(f"error.{error.code}") else f"error.{type(error).code}"
    lines = [say(key, lang, **values)]
    if isinstance(error, AdmissionError):
        lines += ["  - " + say_reason(one, lang) for one in error.reasons]
    if "waiting" in error.values:
        lines.append(say("error.waiting", lang, **values))
    return "\n".join(lines)


def say_reason(reason: Reason, lang: str) -> str:
    """Return the sentence of one reason of a refusal; one that another machine has told carries its own."""
    if isinstance(told := reason.values.get("sentence"), str):
        return escape(told)
    key = f"reason.{reason.code}" if _find(f"reason.{reason.code}") else f"error.{reason.code}"
    return say(key, lang, **{"path": reason.path, "detail": str(reason), **reason.values})


def choose_language(option: str | None, env: Mapping[str, str]) -> str:
    """Return the language to answer in: the option, else the environment's locale, else English."""
    if option in LANGUAGES:
        return option
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        locale = env.get(name, "")
        if locale:
            return "id" if locale[:2] in ("id", "in") and not locale[2:3].isalpha() else "en"
    return "en"


def escape(text: str) -> str:
    r"""Return ``text`` as one line that is safe for a terminal: control, format and bidirectional characters as \u{XXXX}."""
    if text.isprintable():
        return text
    return "".join(f"\\u{{{ord(one):04X}}}" if _is_hidden(one) else one for one in text)


class _Values(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "…"


@functools.cache
def _sections() -> dict[str, str]:
    """Return the glossary's tables, unread, by their dotted names: one answer needs few of a thousand."""
    text = resources.files("ledger").joinpath("words.toml").read_text("utf-8")
    _, *parts = _HEADER.split(text)
    return dict(zip(parts[::2], parts[1::2], strict=True))


@functools.cache
def _parents() -> frozenset[str]:
    names = [name.split(".") for name in _sections()]
    return frozenset(".".join(name[:count]) for name in names for count in range(1, len(name)))


@functools.lru_cache(maxsize=4096)
def _find(key: str) -> dict[str, Any]:
    """Return the entry at a dotted path, empty where there is none."""
    entry: dict[str, Any] = tomllib.loads(_sections().get(key, ""))
    if key in _parents():
        begin = f"{key}."
        below = {name[len(begin) :].partition(".")[0] for name in _sections() if name.startswith(begin)}
        entry |= {name: _find(begin + name) for name in sorted(below)}
    return entry


def _is_hidden(character: str) -> bool:
    """Category C is control, format (bidirectional marks too), surrogate, private or unassigned; Zl and Zp break lines."""
    category = unicodedata.category(character)
    return category[0] == "C" or category in ("Zl", "Zp")
