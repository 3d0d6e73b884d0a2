"""Canonical JSON: one value has one form, and nothing that two readers could take in two ways is accepted."""

from __future__ import annotations

import itertools
import sys
import unicodedata
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import FormatError
from ledger.records import canonical
from ledger.records.canonical import MAX_DEPTH, MAX_INTEGER, check_text, dump, parse
from ledger.records.unicode14 import permitted_ranges

LIMIT = 1 << 20


def refused(data: bytes) -> str:
    with pytest.raises(FormatError) as caught:
        parse(data, limit=LIMIT)
    return caught.value.code


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b'{"a":1,"a":1}', "not-canonical"),
        (b'{"a":1,"a":2}', "not-canonical"),
        (b'{"a":1,"\\u0061":1}', "not-canonical"),
        (b"1.0", "float"),
        (b"[0.5]", "float"),
        (b"1e2", "float"),
        (b"-0", "not-canonical"),
        (b"-0.0", "float"),
        (b"-1", "bad-integer"),
        (b"9007199254740992", "bad-integer"),
        (b"18446744073709551616", "float"),
        (b"01", "not-json"),
        (b"+1", "not-json"),
        (b"NaN", "not-json"),
        (b"Infinity", "not-json"),
        (b"", "not-json"),
        (b"\xef\xbb\xbf{}", "not-json"),
        (b" {}", "not-canonical"),
        (b"{}\n", "not-canonical"),
        (b'{"a": 1}', "not-canonical"),
        (b'{"b":1,"a":1}', "not-canonical"),
        (b'"\\u0061"', "not-canonical"),
        (b'"\\/"', "not-canonical"),
        (b'"\xff"', "not-json"),
        (b'"\xc0\xaf"', "not-json"),
        (b'"\xed\xa0\x80"', "not-json"),
        (b'"\\ud800"', "not-json"),
        (b'"\\udc00\\ud800"', "not-json"),
        (b"{'a':1}", "not-json"),
        (b"[1,]", "not-json"),
        (b"1 1", "not-json"),
        (b"// x\n1", "not-json"),
        (b'{"":1}', "bad-key"),
        (b'{"a b":1}', "bad-key"),
        ('{"é":1}'.encode(), "bad-key"),
        (b'{"' + b"k" * 65 + b'":1}', "bad-key"),
    ],
)
def test_refused(data: bytes, code: str) -> None:
    """Each of these could be read in two ways, or is not the one form of what it says."""
    assert refused(data) == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("e\u0301", "not-nfc"),
        ("\u212b", "not-nfc"),
        ("a\u202eb", "bad-character"),
        ("a\u2066b", "bad-character"),
        ("\u200fa", "bad-character"),
        ("a\u200bb", "bad-character"),
        ("a\u00adb", "bad-character"),
        ("\ufeffa", "bad-character"),
        ("line\u2028line", "bad-character"),
        ("line\u2029line", "bad-character"),
        ("line\nline", "bad-character"),
        ("tab\tbed", "bad-character"),
        ("\x00", "bad-character"),
        ("\x7f", "bad-character"),
        ("\x85", "bad-character"),
        ("\ue000", "bad-character"),
        ("\U000f0000", "bad-character"),
        ("\ufffe", "bad-character"),
        ("\ufdd0", "bad-character"),
        ("\U0010ffff", "bad-character"),
        ("\U000e0041", "bad-character"),
        ("\u0378", "bad-character"),
        ("\U0001fae8", "bad-character"),  # a face, assigned in 15.0
        ("\U0001f6dc", "bad-character"),  # wireless, assigned in 15.0
        ("\u0cf3", "bad-character"),  # a Kannada sign, assigned in 15.0
        ("\u2ffc", "bad-character"),  # assigned in 15.1
        ("\ud800", "bad-character"),
    ],
)
def test_text_refused(text: str, code: str) -> None:
    """Text that is invisible, turns direction, is not normal, or that some Unicode does not know is refused."""
    with pytest.raises(FormatError) as caught:
        check_text(text)
    assert caught.value.code == code
    with pytest.raises(FormatError):
        dump({"title": text})


@pytest.mark.parametrize("text", ["Wali Kota", "ꦱꦼꦩꦫꦁ", "½ é ñ", "\u00a0", "\U0001fae0", "漢字", "", "a\u0302\u0323"[:1]])
def test_text_accepted(text: str) -> None:
    """Visible text of any script is accepted, also a face that Unicode 14 brought."""
    check_text(text)
    assert parse(dump([text]), limit=LIMIT) == [text]


def test_integers_to_the_edge() -> None:
    """0 … 2^53-1 are exact in every reader; the next one is not."""
    assert parse(b"[0,9007199254740991]", limit=LIMIT) == [0, MAX_INTEGER]
    with pytest.raises(FormatError):
        dump(MAX_INTEGER + 1)


def test_depth() -> None:
    """Sixteen levels are accepted, seventeen not, and ten thousand end in the same ordinary error."""
    assert parse(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, limit=LIMIT)
    assert refused(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1)) == "too-deep"
    assert refused(b"[" * 10_000 + b"]" * 10_000) in ("not-json", "too-deep")
    assert refused(b'{"a":' * 10_000 + b"1" + b"}" * 10_000) in ("not-json", "too-deep")


def test_limit() -> None:
    """The limit counts bytes, and stands before any parsing."""
    assert parse(b'"abc"', limit=5) == "abc"
    with pytest.raises(FormatError) as caught:
        parse(b'"abcd"', limit=5)
    assert caught.value.code == "too-long"


@pytest.mark.parametrize("value", [b"x", (1, 2), {1: 2}, {None: 1}, 1.5, -1, {"a": {1, 2}}, object()])
def test_dump_refuses_what_is_not_ours(value: Any) -> None:
    """Writing refuses what reading would, so a faulty record never leaves the machine that made it."""
    with pytest.raises(FormatError):
        dump(value)


def test_booleans_are_not_numbers() -> None:
    """True stays true; Python takes it for 1."""
    assert parse(b"[true,false,null,1]", limit=LIMIT) == [True, False, None, 1]
    assert dump([True, 1]) == b"[true,1]"


KEYS = st.from_regex(r"[A-Za-z0-9_.:-]{1,8}", fullmatch=True)
TEXTS = st.text(max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, MAX_INTEGER) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_same_bytes_as_rfc8785(value: Any) -> None:
    """What is accepted is written exactly as an independent RFC 8785 writes it."""
    try:
        ours = dump(value)
    except FormatError:
        return
    assert ours == rfc8785.dumps(value)
    assert parse(ours, limit=LIMIT) == value


@given(VALUES, st.data())
def test_accepted_formats_to_itself(value: Any, data: st.DataObject) -> None:
    """Bytes changed anywhere are refused, or are the one form of another value."""
    try:
        good = bytearray(dump(value))
    except FormatError:
        return
    place = data.draw(st.integers(0, len(good) - 1))
    good[place] = data.draw(st.integers(0, 255))
    changed = bytes(good)
    try:
        found = parse(changed, limit=LIMIT)
    except FormatError:
        return
    assert dump(found) == changed == rfc8785.dumps(found)


@given(st.binary(max_size=40))
def test_any_bytes_are_an_ordinary_error(data: bytes) -> None:
    """No bytes bring out anything but a value or a ``FormatError``."""
    try:
        assert dump(parse(data, limit=LIMIT)) == data
    except FormatError:
        pass


@pytest.mark.skipif(unicodedata.unidata_version != "14.0.0", reason="this Python carries another Unicode")
def test_the_table_is_unicode_14() -> None:
    """The table of permitted code points is the one that Unicode 14.0's own data gives."""
    left_out = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    made: list[tuple[int, int]] = []
    for point in range(sys.maxunicode + 1):
        if unicodedata.category(chr(point)) in left_out:
            continue
        if made and made[-1][1] == point - 1:
            made[-1] = (made[-1][0], point)
        else:
            made.append((point, point))
    assert permitted_ranges() == made


def test_the_table_is_in_order() -> None:
    """The ranges ascend, do not touch, and hold what an Indonesian office writes."""
    ranges = permitted_ranges()
    assert all(before[1] + 1 < after[0] for before, after in itertools.pairwise(ranges))
    assert ranges[0] == (0x20, 0x7E)
    assert canonical.MAX_DEPTH == 16
