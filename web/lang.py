"""Which language an answer is in: ``?lang=``, else the browser's wish, else the ledger's first language."""

from __future__ import annotations

from collections.abc import Sequence

from ledger.words import LANGUAGES

__all__ = ["choose", "wished"]


def choose(asked: str | None, header: str | None, usual: Sequence[str] = ()) -> str:
    """Return ``id`` or ``en``; ``header`` is Accept-Language (RFC 9110, 12.5.4), ``usual`` the founding's languages."""
    if asked in LANGUAGES:
        return asked
    return next((one for one in (*wished(header or ""), *usual) if one in LANGUAGES), LANGUAGES[0])


def wished(header: str) -> list[str]:
    """Return the languages of an Accept-Language header, the dearest first; what is malformed is passed over."""
    found: list[tuple[float, str]] = []
    for part in header[:500].split(","):
        tag, _, weight = part.strip().partition(";q=")
        try:
            rank = float(weight) if weight else 1.0
        except ValueError:
            continue
        if tag and 0 < rank <= 1:
            found.append((-rank, tag.split("-")[0].lower()))
    return ["id" if tag == "in" else tag for _, tag in sorted(found, key=lambda one: one[0])]
