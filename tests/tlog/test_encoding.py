from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import FormatError
from ledger.tlog.encoding import format_base64, parse_base64, parse_decimal


@given(st.integers(0, 2**63 - 1))
def test_decimal_round_trip(number: int) -> None:
    """Every number below 2**63 is read back from its plain spelling, as text and as bytes."""
    assert parse_decimal(str(number)) == parse_decimal(str(number).encode()) == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00",
        "01",
        "+1",
        "-0",
        "-1",
        " 1",
        "1 ",
        "1\n",
        "1_0",
        "1.0",
        "1e3",
        "0x1",
        "٤٢",
        "４２",
        "²",
        str(2**63),
        "9" * 19,
        "1" * 5000,
    ],
)
def test_decimal_has_one_spelling(text: str) -> None:
    """What Python's ``int`` would read and a canonical text would not write is refused."""
    for spelled in (text, text.encode()):
        with pytest.raises(FormatError) as caught:
            parse_decimal(spelled)
        assert caught.value.code == "bad-decimal"


@given(st.binary(max_size=100))
def test_base64_round_trip(data: bytes) -> None:
    """Every byte string is read back from its base64."""
    assert parse_base64(format_base64(data)) == parse_base64(format_base64(data).encode()) == data


@pytest.mark.parametrize(
    "text",
    [
        "A",
        "AA",
        "AAA",
        "AB==",
        "AAB=",
        "AA=A",
        "AAAA=",
        "AA==AA==",
        "AA==\n",
        " AA==",
        "AA= =",
        "A-_=",
        "AAAA\n",
        "ＡＡ==",
        "AA==\x00",
    ],
)
def test_base64_has_one_spelling(text: str) -> None:
    """Missing padding, spare bits, spaces, the URL alphabet and look-alike letters are refused."""
    for spelled in (text, text.encode()):
        with pytest.raises(FormatError) as caught:
            parse_base64(spelled)
        assert caught.value.code == "bad-base64"


@given(st.text("AQgw=+/ab-_ \n", max_size=12))
def test_accepted_base64_formats_to_itself(text: str) -> None:
    """No two texts are read as the same bytes."""
    try:
        data = parse_base64(text)
    except FormatError:
        return
    assert format_base64(data) == text


def test_surrogates_are_refused() -> None:
    """A text that no UTF-8 can carry is an ordinary refusal."""
    for parse in (parse_decimal, parse_base64):
        with pytest.raises(FormatError):
            parse("\udc80")
