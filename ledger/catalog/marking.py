"""Marking hits in displayed texts, by the same folding that found them; nothing of a text is lost or changed.

    q = walikota    "Keputusan Wali Kota"  →  ("Keputusan ", False), ("Wali Kota", True)

Long texts are looked through piece by piece, and no further than the first hit.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ledger.catalog.folding import PREFIXES, Word, words_in
from ledger.catalog.query import Group, groups_of

__all__ = ["mark_hits", "snippet_of"]

_PIECES = re.compile(r"\S[\s\S]{0,1999}(?!\S)|\S{1,2000}")
_BEFORE, _LENGTH = 60, 240


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Signs in a row, and where among them two runs of digits meet.

    ``open``: more may follow in the last word; ``whole``: a reference or an amount, wherever its digits meet; ``one``: two
    words that were typed, in a text that writes them as one.
    """

    signs: str
    seams: frozenset[int]
    open: bool
    whole: bool = False
    one: bool = False


def mark_hits(text: str, q: str) -> list[tuple[str, bool]]:
    """Split a displayed text into (piece, whether it is a hit); the pieces in a row are the text."""
    return _split(text, list(_hits(list(words_in(text)), _wanted(q))))


def snippet_of(text: str, q: str) -> list[tuple[str, bool]] | None:
    """Return what stands around the first hit in a long text, as pieces; None where nothing in it was meant."""
    wanted = _wanted(q)
    for piece in _PIECES.finditer(text) if wanted else ():
        for start, _ in _hits(list(words_in(piece.group())), wanted):
            return _around(text, piece.start() + start, wanted)
    return None


def _around(text: str, hit: int, wanted: Sequence[_Wanted]) -> list[tuple[str, bool]]:
    start = max(0, hit - _BEFORE)
    if start:
        start = next((at for at in range(start, hit) if text[at - 1].isspace()), hit)
    end = min(len(text), start + _LENGTH)
    if end < len(text):
        end = next((at for at in range(end, hit, -1) if text[at].isspace()), end)
    shown = text[start:end]
    marked = _split(shown, list(_hits(list(words_in(shown)), wanted)))
    plain = [(" ".join(("|" + piece + "|").split())[1:-1], is_hit) for piece, is_hit in marked]
    return [*([("… ", False)] if start else []), *plain, *([(" …", False)] if end < len(text) else [])]


@functools.lru_cache(maxsize=64)
def _wanted(q: str) -> tuple[_Wanted, ...]:
    groups = groups_of(q)
    found = [_one(group) for group in groups]
    for first, second in pairwise(groups):
        if first.loose and second.loose:
            found.append(_Wanted(first.words[0] + second.words[0], frozenset(), second.open, one=True))
    return tuple(found)


def _one(group: Group) -> _Wanted:
    is_open = group.open and (len(group.words) > 1 or len(group.words[-1]) >= PREFIXES[0])
    signs, seams = _together(group.words)
    if group.whole:
        return _Wanted(group.whole[1:].replace("/", ""), seams, is_open, True)
    return _Wanted(signs, seams, is_open)


def _together(words: Sequence[str]) -> tuple[str, frozenset[int]]:
    signs, seams = "", set()
    for word in words:
        if signs and signs[-1].isdecimal() and word[0].isdecimal():
            seams.add(len(signs))
        signs += word
    return signs, frozenset(seams)


def _hits(words: Sequence[Word], wanted: Sequence[_Wanted]) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of each run of words that is meant, in order, without overlap."""
    at, begins = 0, {one.signs[0] for one in wanted}
    while at < len(words):
        if words[at][0][0] not in begins:
            at += 1
            continue
        longest = max((_length(words, at, one) for one in wanted), default=0)
        if longest:
            yield words[at][1], words[at + longest - 1][2]
        at += longest or 1


def _length(words: Sequence[Word], at: int, wanted: _Wanted) -> int:
    """Return how many words from ``at`` on are what is wanted; 0: they are not."""
    signs, seams = "", set()
    for place in range(at, len(words)):
        word = words[place][0]
        if signs and signs[-1].isdecimal() and word[0].isdecimal():
            seams.add(len(signs))
        signs += word
        if len(signs) >= len(wanted.signs):
            same = signs == wanted.signs or (wanted.open and signs.startswith(wanted.signs))
            return place - at + 1 if same and (wanted.whole or seams == wanted.seams) else 0
        if wanted.one or not wanted.signs.startswith(signs):
            return 0
    return 0


def _split(text: str, hits: Sequence[tuple[int, int]]) -> list[tuple[str, bool]]:
    pieces, at = [], 0
    for start, end in hits:
        begin = max(at, start)  # a character such as ½ can belong to two words
        pieces += [(text[at:begin], False), (text[begin:end], True)]
        at = max(at, end)
    return [piece for piece in [*pieces, (text[at:], False)] if piece[0]]
