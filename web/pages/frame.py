"""What all pages share: the frame around them, addresses that keep the reader's language, and the reader's way of writing.

    return page("numbers.html", books=books)

A template extends ``base.html`` (blocks title, head, main, scripts) and gets ``say`` (the glossary), ``show`` (dates, money,
sizes: ``web.present``), ``url`` (the address of another page, in the language that was chosen by hand), ``here`` (this
page in a language), and ``ledger`` (name, size, times; None where the ledger cannot be read).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from flask import g, render_template, request
from markupsafe import Markup, escape

from ledger.words import LANGUAGES, say
from web.present import Present
from web.site import Reading

__all__ = ["NAVIGATION", "Facts", "facts_of", "here", "page", "say_of", "url"]

NAVIGATION = ("records", "verify", "numbers", "coverage", "roster", "witnesses", "about")


@dataclass(frozen=True, slots=True)
class Facts:
    """The ledger in a line: ``time`` of the last entry and ``checkpoint_time``, when the checkpoint came out (both UTC)."""

    name: str
    origin: str
    founding: str
    size: int
    time: str
    checkpoint_time: str
    url: str | None


def facts_of(reading: Reading) -> Facts:
    """Return the facts of the ledger that every page states."""
    roster = reading.roster
    row = reading.store.connection.execute("SELECT time FROM published WHERE size = ?", (reading.size,)).fetchone()
    time = reading.head.time
    return Facts(roster.name, roster.origin, roster.founding, reading.size, time, row[0] if row else time, reading.home.url)


def page(template: str, *, unread: bool = False, **values: Any) -> str:
    """Return a rendered page; ``unread`` leaves the ledger's own facts out, for when it cannot be read."""
    from web.app import reading

    ledger, chosen = None if unread else facts_of(reading), _chosen()
    offset = "+00:00" if unread else reading.roster.utc_offset
    shared = {"lang": g.lang, "say": _markup_of(g.lang), "show": Present(g.lang, offset), "ledger": ledger, "here": here}
    frame = {"navigation": NAVIGATION, "languages": LANGUAGES, "chosen": chosen, "current": request.path.split("/")[1]}
    return render_template(template, **shared, **frame, url=functools.partial(_address, chosen), **values)


def _chosen() -> str | None:
    """Return the language that the reader has chosen by hand (``?lang=``); there are no cookies that could keep it."""
    wanted = request.args.get("lang")
    return wanted if wanted in LANGUAGES else None


@functools.cache
def say_of(lang: str) -> Callable[..., str]:
    """Return the glossary in one language; a sentence without values is looked up once."""

    @functools.cache
    def plain(key: str) -> str:
        return say(key, lang)

    def speak(key: str, /, **values: object) -> str:
        return say(key, lang, **values) if values else plain(key)

    return speak


@functools.cache
def _markup_of(lang: str) -> Callable[..., str]:
    """Return the glossary for templates: a sentence without values is escaped once and for all."""
    speak = say_of(lang)

    @functools.cache
    def plain(key: str) -> Markup:
        return escape(speak(key))

    def mark(key: str, /, **values: object) -> str:
        return speak(key, **values) if values else plain(key)

    return mark


def url(path: str, pairs: Iterable[tuple[str, object]] = ()) -> str:
    """Return the address of a page; a language that the reader has chosen by hand (``?lang=``) goes along."""
    return _address(_chosen(), path, pairs)


def _address(chosen: str | None, path: str, pairs: Iterable[tuple[str, object]] = ()) -> str:
    query = urlencode([(name, str(value)) for name, value in (*pairs, *((("lang", chosen),) if chosen else ()))])
    return f"{quote(path, safe='/')}?{query}" if query else quote(path, safe="/")


def here(lang: str | None = None) -> str:
    """Return the address of this page in another language, or without any."""
    kept = [(name, value) for name, value in request.args.items(multi=True) if name != "lang"]
    query = urlencode([*kept, *([("lang", lang)] if lang else [])])
    return quote(request.path, safe="/") + (f"?{query}" if query else "")
