from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import FormatError, LedgerError, NewerFormatError, SignatureError
from ledger.tlog.encoding import format_base64
from ledger.tlog.note import (
    COSIGNATURE_ED25519,
    COSIGNATURE_MLDSA44,
    ED25519,
    MAX_NOTE,
    MAX_SIGNATURES,
    Note,
    NoteSignature,
    check_ed25519,
    format_note,
    format_vkey,
    key_id,
    make_vkey,
    parse_note,
    parse_vkey,
)
from tests.tlog.logs import LOG_PQ_KEY, flip

# The example of C2SP signed-note.
VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
NOTE = """This is an example message.

— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
""".encode()
LINE = NOTE.decode().split("\n")[2]

NAMES = st.text(min_size=1, max_size=10).filter(
    lambda name: "+" not in name and not any(one < " " or one.isspace() or "\ud800" <= one <= "\udfff" for one in name)
)
SIGNATURES = st.builds(NoteSignature, NAMES, st.binary(min_size=4, max_size=4), st.binary(min_size=1, max_size=80))
TEXTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters=[chr(one) for one in range(32) if one != 10]), max_size=60
)
NOTES = st.builds(
    lambda text, lines: Note((text + "\n").encode(), tuple(lines)), TEXTS, st.lists(SIGNATURES, min_size=1, max_size=4)
)


def test_the_specification_s_example() -> None:
    """The example's signature holds by its key, and both are written as they were."""
    note, key = parse_note(NOTE), parse_vkey(VKEY)
    (signature,) = note.signatures
    assert (signature.name, signature.key_id) == (key.name, key.key_id) == ("example.com/foo", bytes.fromhex("530d903a"))
    check_ed25519(key.key, note.text, signature.signature)
    assert format_note(note) == NOTE
    assert format_vkey(key) == VKEY


def test_blank_lines_in_the_text() -> None:
    """A text with empty lines ends at the last one: the example's poem, and one that ends in empty lines."""
    for text in (b"Ognuno sta solo\n\nsubito sera.\n", b"text\n\n\n", b"\n", b"\n\n"):
        note = parse_note(text + b"\n" + LINE.encode() + b"\n")
        assert note.text == text
        assert format_note(note) == text + b"\n" + LINE.encode() + b"\n"


def test_every_bit_of_the_example_matters() -> None:
    """With any bit of the key, the text or the signature flipped, the signature does not hold."""
    note, key = parse_note(NOTE), parse_vkey(VKEY)
    true = (key.key, note.text, note.signatures[0].signature)
    for part in range(3):
        for at in range(len(true[part])):
            wrong = list(true)
            wrong[part] = flip(true[part], at, at % 8)
            with pytest.raises(SignatureError):
                check_ed25519(*wrong)


@pytest.mark.parametrize(
    ("key", "signature"),
    [
        (b"", b"s" * 64),
        (b"k" * 31, b"s" * 64),
        (b"k" * 33, b"s" * 64),
        (b"k" * 32, b""),
        (b"k" * 32, b"s" * 63),
        (b"k" * 32, b"s" * 65),
    ],
)
def test_wrong_lengths_are_wrong_signatures(key: bytes, signature: bytes) -> None:
    """A key or signature of another length is a SignatureError, never an exception of the library below."""
    with pytest.raises(SignatureError):
        check_ed25519(key, b"text", signature)


@given(NOTES)
def test_note_round_trip(note: Note) -> None:
    """Every note is read back from its bytes, texts with blank lines included."""
    assert parse_note(format_note(note)) == note


@given(
    NOTES,
    st.integers(0, 300),
    st.sampled_from(["", "\n", " ", "=", "\r", "\t", "\0", "—", "+", "\x1f", "\u2028", "A"]),
    st.booleans(),
)
def test_accepted_notes_format_to_themselves(note: Note, at: int, put: str, replace: bool) -> None:
    """A note with something put in, replaced or left out is refused, or is the one spelling of what was read."""
    text = format_note(note).decode()
    changed = (text[:at] + put + text[at + replace :]).encode()
    try:
        read = parse_note(changed)
    except FormatError:
        return
    assert format_note(read) == changed


@given(st.binary(max_size=60))
def test_any_bytes(data: bytes) -> None:
    """Whatever is read as a note, nothing but a FormatError comes out."""
    for candidate in (data, NOTE[:30] + data, NOTE + data, data + NOTE):
        with contextlib.suppress(FormatError):
            assert format_note(parse_note(candidate)) == candidate


@pytest.mark.parametrize(
    "text",
    [
        "",
        "text\n",
        "text",
        "\n",
        f"text\n{LINE}\n",
        f"text\n\n{LINE}",
        f"text\n\n{LINE}X",
        f"text\n\n{LINE}\n\n",
        f"text\r\n\r\n{LINE}\r\n",
        f"te\rxt\n\n{LINE}\n",
        f"te\txt\n\n{LINE}\n",
        f"te\0xt\n\n{LINE}\n",
        f"text\n\n{LINE}\r\n",
        f"text\n\n {LINE}\n",
        f"text\n\n{LINE} \n",
        f"text\n\n-{LINE[1:]}\n",
        f"text\n\n{LINE.replace('— ', '—')}\n",
        f"text\n\n{LINE.replace('/foo ', '/foo  ')}\n",
        f"text\n\n{LINE.replace('/', '+', 1)}\n",
        f"text\n\n{LINE.replace('/foo', chr(0xA0))}\n",
        f"text\n\n{LINE.replace('example.com/foo', '')}\n",
        f"text\n\n{LINE[:-1]}\n",
        f"text\n\n{LINE[:-2]}R=\n",
        f"text\n\n{LINE.split(' Uw')[0]} UwCQOg==\n",
        f"text\n\n{LINE.split(' Uw')[0]} \n",
        f"text\n\n{LINE.split(' Uw')[0]}\n",
        f"text\n\n{LINE}\nmore\n",
        f"text\n\nmore\n{LINE}\n",
        "text\n\n\n",
    ],
)
def test_refused_notes(text: str) -> None:
    """Carriage returns, missing blank lines, other dashes and spaces, spare bits: none is a note."""
    with pytest.raises(FormatError):
        parse_note(text.encode())


@pytest.mark.parametrize("data", [b"\xff" + NOTE, NOTE + b"\xff", b"\xed\xa0\x80" + NOTE, NOTE.decode().encode("utf-16")])
def test_only_utf8(data: bytes) -> None:
    """A note is UTF-8, without surrogates."""
    with pytest.raises(FormatError):
        parse_note(data)


def test_number_of_signatures() -> None:
    """16 signatures are read, 17 and 100 are refused."""
    lines = (LINE + "\n").encode()
    assert len(parse_note(b"text\n\n" + lines * MAX_SIGNATURES).signatures) == MAX_SIGNATURES == 16
    for count in (17, 100):
        with pytest.raises(FormatError) as caught:
            parse_note(b"text\n\n" + lines * count)
        assert caught.value.code == "too-many-signatures"


def test_size_of_a_note() -> None:
    """16 post-quantum signatures of 5 kB fit; a note beyond the limit is refused before it is read."""
    one = NoteSignature("name", b"\0" * 4, b"s" * 5_000)
    assert parse_note(format_note(Note(b"text\n", (one,) * 16))).signatures == (one,) * 16
    with pytest.raises(FormatError) as caught:
        parse_note(b"x" * MAX_NOTE + NOTE)
    assert caught.value.code == "note-too-long"


@pytest.mark.parametrize(
    "note",
    [
        Note(b"text\n", ()),
        Note(b"text", (NoteSignature("n", b"1234", b"s"),)),
        Note(b"", (NoteSignature("n", b"1234", b"s"),)),
        Note(b"text\r\n", (NoteSignature("n", b"1234", b"s"),)),
        Note(b"\xff\n", (NoteSignature("n", b"1234", b"s"),)),
        Note(b"text\n", (NoteSignature("a b", b"1234", b"s"),)),
        Note(b"text\n", (NoteSignature("", b"1234", b"s"),)),
        Note(b"text\n", (NoteSignature("n\n", b"1234", b"s"),)),
        Note(b"text\n", (NoteSignature("\ud800", b"1234", b"s"),)),
        Note(b"text\n", (NoteSignature("n", b"123", b"s"),)),
        Note(b"text\n", (NoteSignature("n", b"1234", b""),)),
        Note(b"text\n", (NoteSignature("n", b"12345", b"s"),)),
        Note(b"text\n", (NoteSignature("n", b"1234", b"s"),) * 17),
    ],
)
def test_only_what_can_be_read_is_written(note: Note) -> None:
    """A note that no reader would take, or would take for another one, is refused before it is published."""
    with pytest.raises(FormatError):
        format_note(note)


@given(NAMES, st.sampled_from([ED25519, COSIGNATURE_ED25519]), st.binary(min_size=32, max_size=32))
def test_vkey_round_trip(name: str, algorithm: int, key: bytes) -> None:
    """Every Ed25519 key of either type is read back from its vkey."""
    made = make_vkey(name, algorithm, key)
    assert parse_vkey(format_vkey(made)) == made


def test_vkey_of_ml_dsa() -> None:
    """A post-quantum key is read back from its vkey."""
    key = LOG_PQ_KEY.vkey
    assert (key.algorithm, len(key.key)) == (COSIGNATURE_MLDSA44, 1312)
    assert parse_vkey(format_vkey(key)) == key


def test_every_byte_of_a_vkey_matters() -> None:
    """With any character of the example replaced, it is refused, or is of a type not known here."""
    for at in range(len(VKEY)):
        for put in "A0+ \n":
            if VKEY[at] != put:
                with pytest.raises((FormatError, NewerFormatError)):
                    parse_vkey(VKEY[:at] + put + VKEY[at + 1 :])
        with pytest.raises((FormatError, NewerFormatError)):
            parse_vkey(VKEY[:at] + VKEY[at + 1 :])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+",
        "++",
        "a+b+c",
        VKEY.replace("530d903a", "530D903A"),
        VKEY.replace("example.com/foo", ""),
        VKEY.replace("/", " "),
        "name+00000000+",
        "na\udc80me+00000000+" + VKEY[25:],
        "name+" + "0" * 8 + "+" + VKEY[25:],
    ],
)
def test_refused_vkeys(text: str) -> None:
    """Upper-case ids, empty parts, spaces, other ids and what no UTF-8 can carry are refused."""
    with pytest.raises(FormatError):
        parse_vkey(text)


@pytest.mark.parametrize("algorithm", [0x00, 0x02, 0x03, 0x05, 0x07, 0xFA, 0xFF])
def test_newer_types(algorithm: int) -> None:
    """A signature type that is not known here is said to be newer, however it makes its key ids, and never to be wrong."""
    for identifier in (key_id("name", algorithm, b"k" * 40).hex(), "00000000"):
        with pytest.raises(NewerFormatError) as caught:
            parse_vkey(f"name+{identifier}+{format_base64(bytes([algorithm]) + b'k' * 40)}")
        assert caught.value.values == {"algorithm": f"0x{algorithm:02x}"}


@pytest.mark.parametrize(
    ("name", "algorithm", "key"),
    [
        ("", ED25519, b"k" * 32),
        ("a b", ED25519, b"k" * 32),
        ("a+b", ED25519, b"k" * 32),
        ("a\n", ED25519, b"k" * 32),
        ("a\0", ED25519, b"k" * 32),
        ("a\u2003b", ED25519, b"k" * 32),
        ("\ud800", ED25519, b"k" * 32),
        ("a", ED25519, b"k" * 31),
        ("a", COSIGNATURE_ED25519, b"k" * 1312),
        ("a", COSIGNATURE_MLDSA44, b"k" * 32),
        ("a" * 256, COSIGNATURE_MLDSA44, b"k" * 1312),
        ("é" * 128, COSIGNATURE_MLDSA44, b"k" * 1312),
    ],
)
def test_refused_keys(name: str, algorithm: int, key: bytes) -> None:
    """A name that a note or the signed message cannot carry, and a key of another length, are refused."""
    with pytest.raises(FormatError) as caught:
        make_vkey(name, algorithm, key)
    assert caught.value.code == "bad-vkey"


@given(st.text(max_size=40))
def test_any_text_as_vkey(text: str) -> None:
    """Whatever is read as a vkey, nothing but Bening's own errors comes out."""
    for candidate in (text, VKEY[:24] + text, text + VKEY[15:]):
        with contextlib.suppress(LedgerError):
            assert format_vkey(parse_vkey(candidate)) == candidate
