from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import FormatError
from ledger.tlog.checkpoint import Checkpoint, format_checkpoint, is_origin, parse_checkpoint
from ledger.tlog.encoding import format_base64
from ledger.tlog.note import parse_note

EXAMPLE = """example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
"""
ROOT = format_base64(b"r" * 32)
ORIGINS = st.from_regex(r"[a-z0-9.-]{1,30}(/[a-z0-9._-]{1,20}){0,3}", fullmatch=True)
CHECKPOINTS = st.builds(Checkpoint, ORIGINS, st.integers(0, 2**63 - 1), st.binary(min_size=32, max_size=32))


def test_the_specification_s_example() -> None:
    """The example of tlog-checkpoint is read, and written as it was."""
    text = parse_note(EXAMPLE.encode()).text
    checkpoint = parse_checkpoint(text)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20_852_163)
    assert format_checkpoint(checkpoint) == text


@given(CHECKPOINTS)
def test_round_trip(checkpoint: Checkpoint) -> None:
    """Every checkpoint is read back from its text."""
    assert parse_checkpoint(format_checkpoint(checkpoint)) == checkpoint


@given(
    CHECKPOINTS,
    st.integers(0, 200),
    st.sampled_from(["", "\n", " ", "0", "A", "=", "\r", "٤", "\u2028", "/", "\0"]),
    st.booleans(),
)
def test_accepted_text_formats_to_itself(checkpoint: Checkpoint, at: int, put: str, replace: bool) -> None:
    """A text with something put in, replaced or left out is refused, or is the one text of what was read."""
    text = format_checkpoint(checkpoint).decode()
    changed = (text[:at] + put + text[at + replace :]).encode()
    try:
        read = parse_checkpoint(changed)
    except FormatError:
        return
    assert format_checkpoint(read) == changed


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"", "bad-checkpoint"),
        (f"o\n1\n{ROOT}".encode(), "bad-checkpoint"),
        (b"o\n1\n", "bad-checkpoint"),
        (f"o\n1\n{ROOT}\nmore\n".encode(), "checkpoint-extension"),
        (f"o\n1\n{ROOT}\n\n".encode(), "checkpoint-extension"),
        (f"o\n1\n{ROOT}\nmore".encode(), "bad-checkpoint"),
        (f"\n1\n{ROOT}\n".encode(), "bad-checkpoint"),
        (f"O\n1\n{ROOT}\n".encode(), "bad-checkpoint"),
        (f"o\n01\n{ROOT}\n".encode(), "bad-decimal"),
        (f"o\n+1\n{ROOT}\n".encode(), "bad-decimal"),
        (f"o\n{2**63}\n{ROOT}\n".encode(), "bad-decimal"),
        (f"o\n1\r\n{ROOT}\n".encode(), "bad-decimal"),
        (f"o\n1\n{ROOT[:-2]}==\n".encode(), "bad-base64"),
        (f"o\n1\n{format_base64(b'r' * 31)}\n".encode(), "bad-checkpoint"),
        (f"o\n1\n{format_base64(b'r' * 33)}\n".encode(), "bad-checkpoint"),
        (b"\xff\n1\n" + ROOT.encode() + b"\n", "bad-checkpoint"),
    ],
)
def test_refusals(text: bytes, code: str) -> None:
    """Each departure from the three lines is refused for what it is."""
    with pytest.raises(FormatError) as caught:
        parse_checkpoint(text)
    assert caught.value.code == code


@pytest.mark.parametrize("origin", ["a", "ledger.example/city", "a-b.c/d_e/f.g", "1/2/3", "a" * 200])
def test_origins(origin: str) -> None:
    """Scheme-less URLs in lower case are origins, up to 200 bytes."""
    assert is_origin(origin)


@pytest.mark.parametrize(
    "origin", ["", "/", "a/", "/a", "a//b", "A", "a b", "a+b", "a_b", "a:80", "a\n", "é", "a/B", "a" * 201, "https://a", "a/ b"]
)
def test_no_origins(origin: str) -> None:
    """Nothing else is, and such a checkpoint is not written either."""
    assert not is_origin(origin)
    with pytest.raises(FormatError):
        format_checkpoint(Checkpoint(origin, 1, b"r" * 32))


@pytest.mark.parametrize(("size", "root"), [(-1, b"r" * 32), (2**63, b"r" * 32), (1, b"r" * 31), (1, b"")])
def test_only_what_can_be_read_is_written(size: int, root: bytes) -> None:
    """A size or root that no reader would take is refused before it is signed."""
    with pytest.raises(FormatError):
        format_checkpoint(Checkpoint("o", size, root))
