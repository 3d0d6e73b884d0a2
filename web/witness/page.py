"""What a witness shows to people: which logs it watches, how far each had grown, and when it last said so."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from ledger.records.entry import format_time
from ledger.tlog.note import format_vkey
from ledger.witness.home import WitnessHome
from ledger.witness.state import Log
from ledger.witness.witness import Witness, vkeys_of
from ledger.words import LANGUAGES, say
from web.present import Present

__all__ = ["witness_page"]


def witness_page(home: WitnessHome, logs: Sequence[Log], witness: Witness, lang: str) -> str:
    """Return the page in one language."""
    show = Present(lang)
    rows = [
        {
            "origin": log.origin,
            "size": show.count(log.seen.size) if log.time else "",
            "time": show.time(format_time(log.time)) if log.time else "",
            "utc": format_time(log.time) if log.time else "",
            "locked": log.locked,
            "odd": show.count(log.odd) if log.odd else "",
            "checkpoint": f"/{hashlib.sha256(log.origin.encode('utf-8')).hexdigest()}/checkpoint" if log.time else "",
        }
        for log in logs
    ]
    vkeys = [format_vkey(key) for key in vkeys_of(home.name, witness.keys)]
    template = _environment().get_template("witness.html")
    words = functools.partial(_say, lang)
    return template.render(
        say=words, lang=lang, languages=LANGUAGES, name=home.name, contact=home.contact, logs=rows, vkeys=vkeys
    )


def _say(lang: str, key: str, /, **values: Any) -> str:
    return say(key, lang, **values)


@functools.cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("web", "templates"), autoescape=select_autoescape(), undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
