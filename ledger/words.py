"""The words that people read: one glossary, Indonesian and English, in ``words.toml``.

Parts of the ledger speak in codes and values; here they become sentences. A missing word or placeholder never stops an
answer: the code itself is shown instead.
"""

from __future__ import annotations

import functools
import tomllib
import unicodedata
from collections.abc import Mapping
from importlib import resources
from typing import Any

from ledger.errors import AdmissionError, LedgerError, Reason

__all__ = ["LANGUAGES", "choose_language", "escape", "explain", "say", "say_reason"]

LANGUAGES = ("id", "en")


def say(key: str, lang: str, /, **values: object) -> str:
    """Return the sentence ``key`` (dotted path in the glossary) in ``lang``, with ``values`` in their places."""
    entry: Any = _glossary()
    for part in key.split("."):
        entry = entry.get(part) if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(entry.get(lang), str):
        shown = ", ".join(f"{name}={value}" for name, value in values.items())
        return f"{key} ({shown})" if shown else key
    shown_values = {name: escape(str(value)) for name, value in values.items()}
    return str(entry[lang].format_map(_Values(shown_values)))


def explain(error: LedgerError, lang: str) -> str:
    """Return what ``error`` means for a person; a refusal lists all its reasons, a line each."""
    values = {"detail": error.detail, **error.values}
    key = f"error.{error.code}" if _has(f"error.{error.code}") else f"error.{type(error).code}"
    lines = [say(key, lang, **values)]
    if isinstance(error, AdmissionError):
        lines += ["  - " + say_reason(one, lang) for one in error.reasons]
    return "\n".join(lines)


def say_reason(reason: Reason, lang: str) -> str:
    """Return the sentence of one reason of a refusal."""
    key = f"reason.{reason.code}" if _has(f"reason.{reason.code}") else f"error.{reason.code}"
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
    """Return ``text`` with every control, format and bidirectional character made visible, safe for a terminal."""
    if text.isprintable():
        return text
    return "".join(
        one if one in "\n\t" or unicodedata.category(one)[0] != "C" and unicodedata.category(one) not in ("Zl", "Zp")
        else f"\\u{{{ord(one):04X}}}"
        for one in text
    )  # fmt: skip


class _Values(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "…"


@functools.cache
def _glossary() -> dict[str, Any]:
    return tomllib.loads(resources.files("ledger").joinpath("words.toml").read_text("utf-8"))


def _has(key: str) -> bool:
    entry: Any = _glossary()
    for part in key.split("."):
        entry = entry.get(part) if isinstance(entry, dict) else None
    return isinstance(entry, dict)
