"""References: a mistyped one is noticed, and a person may type it as it comes."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import FormatError
from ledger.records.refs import SYMBOLS, draw_ref, format_ref, is_ref, parse_ref

STORED = re.compile(r"[0-9A-HJKMNP-TV-Z]{11}", re.ASCII)


def some_refs(count: int = 40) -> list[str]:
    return [draw_ref(random.Random(seed).getrandbits) for seed in range(count)]


def test_drawn_refs_are_refs() -> None:
    """Each drawn reference has the stored form and its check symbol, and no two are alike."""
    refs = some_refs(200)
    assert all(STORED.fullmatch(ref) and is_ref(ref) for ref in refs)
    assert len(set(refs)) == len(refs)
    assert is_ref(draw_ref())


def test_drawing_goes_on_until_the_check_symbol_is_a_letter_or_digit() -> None:
    """A value whose check symbol would be one of * ~ $ = U is thrown away."""
    answers = iter([36, 32, 73, 5])
    assert draw_ref(lambda bits: next(answers)) == "00000000055"


def test_worked_example() -> None:
    """Crockford's check: the value modulo 37. 1 gives 1, 31 gives Z, 37 gives 0."""
    for value, check in ((0, "0"), (1, "1"), (31, "Z"), (37, "0"), (38, "1")):
        ref = draw_ref(lambda bits, value=value: value)
        assert ref[-1] == check
        assert SYMBOLS.index(ref[9]) == value % 32


def test_every_single_wrong_symbol_is_noticed() -> None:
    """Any one symbol changed to any other gives no reference."""
    for ref in some_refs():
        for place in range(11):
            for symbol in SYMBOLS.replace(ref[place], ""):
                assert not is_ref(ref[:place] + symbol + ref[place + 1 :])


def test_every_swap_of_neighbours_is_noticed() -> None:
    """Two different neighbours exchanged give no reference."""
    for ref in some_refs(200):
        for place in range(10):
            if ref[place] != ref[place + 1]:
                assert not is_ref(ref[:place] + ref[place + 1] + ref[place] + ref[place + 2 :])


@given(st.integers(0, 2**50 - 1))
def test_what_is_printed_is_read_again(value: int) -> None:
    """Printed groups, lower case, spaces, and the letters I L O that people type are all read as the stored form."""
    if value % 37 > 31:
        return
    ref = draw_ref(lambda bits: value)
    typed = format_ref(ref).lower()
    assert parse_ref(ref) == parse_ref(typed) == parse_ref(f" {typed} ") == ref
    assert parse_ref(ref.replace("1", "I").replace("0", "O")) == ref
    assert parse_ref(ref.replace("1", "l").replace("0", "o")) == ref


@pytest.mark.parametrize(
    "typed", ["", "0", "0000000000", "000000000000", "00000000001", "0000000000U", "٠٠٠٠٠٠٠٠٠٠٠", "0000000000\n", "０" * 11]
)
def test_not_a_reference(typed: str) -> None:
    """Too short, too long, a wrong check symbol, digits of another script: refused with the value in the error."""
    with pytest.raises(FormatError) as caught:
        parse_ref(typed)
    assert caught.value.code == "bad-ref"
    assert not is_ref(typed)


@pytest.mark.parametrize("value", [None, 0, b"00000000000", "0000000000o", "0000-0000-000", ["0"] * 11])
def test_stored_form_only(value: object) -> None:
    """In a record stands the stored form, nothing that a person may type."""
    assert not is_ref(value)
    assert is_ref("00000000000")
