"""Queries: what somebody typed, as conditions on terms. Nothing that can be typed is an error.

    trotoar "jalan merdeka" 600.1/31/SPK

All conditions must hold. Each is a list of alternatives, an alternative a list of terms that must all be there. What is
typed without a space between (``600.1/31/SPK``) or in quotation marks stands side by side in the act; a phrase is taken
as its pairs of neighbours. The last word typed matches as a beginning: from three characters on, or behind a neighbour.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from ledger.catalog.folding import PREFIXES, amount_term, join, ref_term, words_of
from ledger.errors import FormatError
from ledger.records.refs import parse_ref

__all__ = ["Alternatives", "Group", "Term", "Words", "conditions", "groups_of"]

_QUOTES = str.maketrans(dict.fromkeys("“”„‟«»〝〞＂", '"'))
_AMOUNT = re.compile(r"([0-9]{1,3}(?:[.,][0-9]{3})+)(?:[.,]([0-9]{1,2}))?-?")
_CURRENCY = re.compile(r"(?<!\S)(?:rp|idr)\.?\s*(?=[0-9])", re.IGNORECASE | re.ASCII)
_PIECES = re.compile(r'"([^"]*)"|([^\s"]+)')


@dataclass(frozen=True, slots=True)
class Term:
    """A term as ``folding`` makes them; ``open``: every term that begins like this."""

    text: str
    open: bool = False


Alternatives = list[tuple[Term, ...]]


class Words(Protocol):
    """The words of letters that acts have."""

    def has(self, word: str) -> bool:
        """Tell whether an act has ``word``."""

    def beginning(self, start: str) -> list[str]:
        """Return the words that begin with ``start``."""

    def joined(self, word: str) -> bool:
        """Tell whether ``word`` is two neighbouring words of an act, joined."""


@dataclass(frozen=True, slots=True)
class Group:
    """Words that were typed side by side; ``whole``: their term where they are a reference or an amount.

    ``open``: the last one typed, perhaps not to its end.
    """

    words: tuple[str, ...]
    whole: str = ""
    quoted: bool = False
    open: bool = False

    @property
    def loose(self) -> bool:
        """A single word, which may be half of a word that an act writes as one."""
        return len(self.words) == 1 and not self.quoted and self.words[0].isalpha()


def groups_of(q: str) -> list[Group]:
    """Return what was typed, in its order; what has neither letters nor digits is passed over, and so is *Rp* before digits."""
    found = []
    pieces = list(_PIECES.finditer(_CURRENCY.sub("", q.translate(_QUOTES))))
    for piece in pieces:
        text = piece[1] if piece[1] is not None else piece[2]
        words = tuple(words_of(text))
        if words:
            quoted = piece[1] is not None
            found.append(Group(words, _whole(text), quoted, piece is pieces[-1] and not quoted))
    return found


def _whole(text: str) -> str:
    """Return the term of a reference with or without hyphens, or of an amount in groups of thousands; else nothing."""
    try:
        return ref_term(parse_ref(text))
    except FormatError:
        amount = _AMOUNT.fullmatch(text)
        return amount_term(re.sub("[.,]", "", amount[1]), amount[2] or "") if amount else ""


def conditions(q: str, words: Words) -> list[Alternatives]:
    """Return the conditions in ``q``, the same one once; ``words`` are those that acts have."""
    groups = groups_of(q)
    found: list[Alternatives] = []
    for place, group in enumerate(groups):
        if len(group.words) == 1:
            around = [(groups[at], groups[at + 1]) for at in (place - 1, place) if 0 <= at < len(groups) - 1]
            found.append(_one_word(group, around, words))
        else:
            found += _side_by_side(group, words)
    return [one for place, one in enumerate(found) if one not in found[:place]]


def _one_word(group: Group, around: Iterable[tuple[Group, Group]], words: Words) -> Alternatives:
    word = group.words[0]
    found: Alternatives = _beginning(word, words) if group.open else [(Term(word),)]
    if word.isalpha():
        unknown = not found and not words.joined(word)
        found.append((Term(f"+{word}", open=unknown),))
    if group.whole:
        found.append((Term(group.whole),))
    for first, second in around:
        if first.loose and second.loose:
            both = first.words[0] + second.words[0]
            found += _beginning(both, words) if second.open else [(Term(both),)]
    return found


def _beginning(word: str, words: Words) -> Alternatives:
    """Return alternatives, perhaps none, for a word of which perhaps only the beginning was typed."""
    if len(word) < PREFIXES[0]:
        return [(Term(word),)]
    if len(word) in PREFIXES:
        return [(Term(f"^{word}"),)]
    if not word.isalpha():
        return [(Term(word, open=True),)]
    return [(Term(one),) for one in words.beginning(word)]


def _side_by_side(group: Group, words: Words) -> list[Alternatives]:
    """Return a condition for each pair of neighbours; the group as a whole is an alternative to all of them."""
    typed, found = group.words, []
    for place in range(len(typed) - 1):
        last = group.open and place == len(typed) - 2
        pair = [(Term(join(typed[place], typed[place + 1]), last),), *_pair_in_one(typed, place, last)]
        pair += _pair_with_neighbours(typed, place, group.open) + _pair_in_more(typed, place, words)
        found.append([*pair, (Term(group.whole),)] if group.whole else pair)
    return found


def _pair_in_one(typed: tuple[str, ...], place: int, last: bool) -> Alternatives:
    """*wali kota* in an act that writes *walikota*."""
    both = typed[place] + typed[place + 1]
    return [(Term(both, last),)] if both.isalpha() else []


def _pair_with_neighbours(typed: tuple[str, ...], place: int, is_open: bool) -> Alternatives:
    """*kota semarang* of *wali kota semarang* in an act that writes *walikota semarang*."""
    first, second = typed[place], typed[place + 1]
    found: Alternatives = []
    if place and (typed[place - 1] + first).isalpha():
        last = is_open and place == len(typed) - 2
        found.append((Term(join(typed[place - 1] + first, second), last),))
    if place + 2 < len(typed) and (second + typed[place + 2]).isalpha():
        last = is_open and place == len(typed) - 3
        found.append((Term(join(first, second + typed[place + 2]), last),))
    return found


def _pair_in_more(typed: tuple[str, ...], place: int, words: Words) -> Alternatives:
    """*walikota semarang* in an act that writes *wali kota semarang*: split where both halves are words."""
    first, second = typed[place], typed[place + 1]
    found: Alternatives = [(Term(f"+{first}"), Term(join(half, second))) for _, half in _halves(first, words)]
    found += [(Term(f"+{second}"), Term(join(first, half))) for half, _ in _halves(second, words)]
    return found


def _halves(word: str, words: Words) -> list[tuple[str, str]]:
    """Return the ways to write ``word`` as two that acts have, of two letters at least."""
    if not word.isalpha():
        return []
    pairs = [(word[:at], word[at:]) for at in range(2, len(word) - 1)]
    return [(first, second) for first, second in pairs if words.has(first) and words.has(second)]
