"""Folding: the one way in which texts become terms, for indexing, for queries and for marking hits.

Folded text is NFKD, casefolded, without marks. Its *words* are runs of letters or runs of digits, so that ``138/728`` and
``SPK2025`` have two each. An act is indexed under terms, whose first character tells what they are:

    walikota      a word                        ^wal ^wali    the first three and four characters of a word
    +walikota     two words that stand side by side, joined:  Wali Kota
    +138/728      the same where a digit takes part, so that 13/8728 is another
    #19jvnjxpqjs  a reference            $187500000     an amount of money
    =12           a value of a facet, by its code; =all: every act, =valued: every act with a value

There is no list of words: *Walikota* and *Wali Kota* are the same because neighbours are also indexed as one word.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable, Iterator

__all__ = ["ALL", "PREFIXES", "VALUED", "Word", "amount_term", "fold", "join", "ref_term", "terms_of", "words_in", "words_of"]

ALL = "=all"
VALUED = "=valued"
PREFIXES = (3, 4)
_LONGEST = 64
_WORD = re.compile(r"\d+|[^\W\d_]+")

Word = tuple[str, int, int]


def fold(text: str) -> str:
    """Return ``text`` without case, marks and compatibility forms; folding twice changes nothing."""
    return text.lower() if text.isascii() else "".join(map(_fold_one, text))


@functools.lru_cache(maxsize=4096)
def _fold_one(character: str) -> str:
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", character).casefold()).casefold()
    return "".join(one for one in folded if unicodedata.category(one)[0] != "M")


def words_of(text: str) -> list[str]:
    """Return the words of ``text`` in their order; what a word has beyond 64 characters is left out."""
    return [word[:_LONGEST] for word in _WORD.findall(fold(text))]


def words_in(text: str) -> Iterator[Word]:
    """Yield each word of ``text`` with the places in ``text`` where it begins and ends.

    A character that folds to several belongs to the word of each; a mark belongs to the character before it.
    """
    if text.isascii():
        for found in _WORD.finditer(text.lower()):
            yield found.group()[:_LONGEST], found.start(), found.end()
        return
    folded, places = [], []
    for place, character in enumerate(text):
        part = _fold_one(character)
        folded.append(part)
        places += [place] * len(part)
    for found in _WORD.finditer("".join(folded)):
        end = places[found.end() - 1] + 1
        while end < len(text) and unicodedata.category(text[end])[0] == "M":
            end += 1
        yield found.group()[:_LONGEST], places[found.start()], end


def join(first: str, second: str) -> str:
    """Return the term under which two neighbouring words are indexed."""
    return f"+{first}{second}" if first.isalpha() and second.isalpha() else f"+{first}/{second}"


def ref_term(ref: str) -> str:
    """Return the term of a reference."""
    return f"#{ref.lower()}"


def amount_term(whole: str, part: str = "") -> str:
    """Return the term of an amount of money, from the digits before and behind its point."""
    rest = part.rstrip("0")
    return f"${whole}/{rest}" if rest else f"${whole}"


def terms_of(texts: Iterable[str]) -> set[str]:
    """Return the terms of ``texts``; words of two texts are no neighbours."""
    found: set[str] = set()
    joined: set[str] = set()
    for text in texts:
        words = words_of(text)
        found.update(words)
        joined.update(map(join, words, words[1:]))
    for length in PREFIXES:
        joined.update([f"^{word[:length]}" for word in found if len(word) >= length])
    return found | joined
