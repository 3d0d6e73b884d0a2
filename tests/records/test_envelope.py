"""Envelopes: DSSE in one strict profile, which a foreign implementation reads and verifies."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.dsse import Envelope as ForeignEnvelope
from securesystemslib.exceptions import VerificationError as ForeignVerificationError
from securesystemslib.signer import SSlibKey

from ledger.errors import FormatError, SignatureError
from ledger.records import canonical
from ledger.records.envelope import (
    MAX_SIGNATURES,
    Envelope,
    Signature,
    add_signature,
    check_signature,
    dump_envelope,
    envelope_of,
    load_envelope,
    pae,
    value_of,
)
from ledger.records.record import RECORD_TYPE
from tests.city import keyid_of, public_of, signing_key

PAYLOAD = b'{"v":1}'
KEYS = sorted((signing_key(f"signer {n}") for n in range(3)), key=keyid_of)


def signed(*keys: Any, payload: bytes = PAYLOAD) -> Envelope:
    envelope = Envelope(RECORD_TYPE, payload, ())
    for key in keys:
        envelope = add_signature(envelope, keyid_of(key), lambda text, key=key: bytes(key.sign(text).signature))
    return envelope


def test_worked_example_of_the_specification() -> None:
    """DSSE's protocol.md, the pre-authentication encoding of its example."""
    expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert pae("http://example.com/HelloWorld", b"hello world") == expected


def test_lengths_are_bytes() -> None:
    """The encoding counts bytes, and an empty payload is not the same as a shorter type."""
    assert pae("é", b"\xff\x00") == b"DSSEv1 2 \xc3\xa9 2 \xff\x00"
    assert pae("", b"") == b"DSSEv1 0  0 "


def test_round_trip() -> None:
    """What is written is read again, signatures in ascending keyid whatever order they were made in."""
    envelope = signed(KEYS[2], KEYS[0], KEYS[1])
    assert [one.keyid for one in envelope.signatures] == [keyid_of(key) for key in KEYS]
    data = dump_envelope(envelope)
    assert load_envelope(data) == envelope
    assert dump_envelope(load_envelope(data)) == data
    assert envelope_of(value_of(envelope)) == envelope


def test_signing_again_replaces() -> None:
    """A key that signs twice stands once."""
    assert signed(KEYS[0], KEYS[0]) == signed(KEYS[0])


def test_a_signature_holds_only_for_its_key_type_and_payload() -> None:
    """Another key, payload, payload type or signature is refused."""
    envelope = signed(KEYS[0])
    (good,) = envelope.signatures
    check_signature(envelope, good, public_of(KEYS[0]))
    for bad in (
        (envelope, good, public_of(KEYS[1])),
        (replace(envelope, payload=b'{"v":2}'), good, public_of(KEYS[0])),
        (replace(envelope, payload_type=RECORD_TYPE + "x"), good, public_of(KEYS[0])),
        (envelope, replace(good, sig=bytes(64)), public_of(KEYS[0])),
        (envelope, replace(good, sig=good.sig[:-1]), public_of(KEYS[0])),
    ):
        with pytest.raises(SignatureError):
            check_signature(*bad)


def test_every_bit_of_a_signature_counts() -> None:
    """A signature with any bit changed does not hold."""
    envelope = signed(KEYS[0])
    (good,) = envelope.signatures
    for bit in range(0, 512, 5):
        flipped = bytearray(good.sig)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SignatureError):
            check_signature(envelope, replace(good, sig=bytes(flipped)), public_of(KEYS[0]))


def test_a_draft_waits_for_signatures() -> None:
    """Nobody's signature is accepted only where a draft is read."""
    draft = dump_envelope(Envelope(RECORD_TYPE, PAYLOAD, ()))
    assert load_envelope(draft, drafts=True).signatures == ()
    with pytest.raises(FormatError) as caught:
        load_envelope(draft)
    assert caught.value.code == "bad-signature-count"


def test_sixteen_signatures_and_no_more() -> None:
    """At most sixteen."""
    many = tuple(Signature(f"{n:064x}", bytes(64)) for n in range(MAX_SIGNATURES + 1))
    assert len(envelope_of(value_of(Envelope(RECORD_TYPE, PAYLOAD, many[:-1]))).signatures) == MAX_SIGNATURES
    with pytest.raises(FormatError) as caught:
        envelope_of(value_of(Envelope(RECORD_TYPE, PAYLOAD, many)))
    assert caught.value.code == "bad-signature-count"


def test_order_of_signatures() -> None:
    """Exchanged or doubled signatures are another spelling of the same envelope, and refused."""
    value = value_of(signed(KEYS[0], KEYS[1]))
    for bad in (value["signatures"][::-1], value["signatures"][:1] * 2):
        with pytest.raises(FormatError) as caught:
            envelope_of({**value, "signatures": bad})
        assert caught.value.code == "signature-order"


GOOD = value_of(signed(KEYS[0]))
(SIGNATURE,) = GOOD["signatures"]


@pytest.mark.parametrize("payload", ["eyJ2IjoxfR==", "eyJ2IjoxfQ", "eyJ2IjoxfQ=", "eyJ2IjoxfQ==\n", " eyJ2IjoxfQ==", "-_-_", "é", "eyJ2=joxfQ=="])
def test_base64_has_one_spelling(payload: str) -> None:
    """Bits left over, missing padding, spaces, and the alphabet of URLs are refused."""
    with pytest.raises(FormatError):
        envelope_of({**GOOD, "payload": payload})
    with pytest.raises(FormatError):
        envelope_of({**GOOD, "signatures": [{**SIGNATURE, "sig": payload}]})


def _spare_bits(text: str) -> str:
    """The same 64 bytes with one of base64's four spare bits set."""
    symbols = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return text[:-3] + symbols[symbols.index(text[-3]) + 1] + "=="


@pytest.mark.parametrize(
    "value",
    [
        [],
        None,
        {},
        {**GOOD, "extra": 1},
        {key: value for key, value in GOOD.items() if key != "payloadType"},
        {**GOOD, "payload": 1},
        {**GOOD, "payloadType": None},
        {**GOOD, "signatures": {}},
        {**GOOD, "signatures": ["x"]},
        {**GOOD, "signatures": [{**SIGNATURE, "cert": "x"}]},
        {**GOOD, "signatures": [{"sig": SIGNATURE["sig"]}]},
        {**GOOD, "signatures": [{**SIGNATURE, "keyid": SIGNATURE["keyid"].upper()}]},
        {**GOOD, "signatures": [{**SIGNATURE, "keyid": SIGNATURE["keyid"][:-1]}]},
        {**GOOD, "signatures": [{**SIGNATURE, "keyid": None}]},
        {**GOOD, "signatures": [{**SIGNATURE, "sig": base64.b64encode(bytes(63)).decode()}]},
        {**GOOD, "signatures": [{**SIGNATURE, "sig": base64.b64encode(bytes(65)).decode()}]},
        {**GOOD, "signatures": [{**SIGNATURE, "sig": _spare_bits(SIGNATURE["sig"])}]},
    ],
)
def test_exactly_the_fields_of_dsse(value: Any) -> None:
    """Anything but DSSE's own fields in their types is refused."""
    with pytest.raises(FormatError):
        envelope_of(value)


@given(st.binary(max_size=60), st.text(max_size=12))
def test_any_payload_round_trips(payload: bytes, kind: str) -> None:
    """An envelope of any payload and type is read as itself, or cannot be written at all."""
    envelope = Envelope(kind, payload, (Signature("0" * 64, bytes(64)),))
    try:
        data = dump_envelope(envelope)
    except FormatError:
        return
    assert load_envelope(data) == envelope


@given(st.data())
def test_accepted_formats_to_itself(data: st.DataObject) -> None:
    """No byte of an envelope can be changed to give a second spelling of the same one."""
    good = bytearray(dump_envelope(signed(KEYS[0])))
    good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = load_envelope(bytes(good))
    except FormatError:
        return
    assert dump_envelope(found) == bytes(good)


def foreign_key(key: Any) -> SSlibKey:
    return SSlibKey(keyid_of(key), "ed25519", "ed25519", {"public": bytes(key.verify_key).hex()})


def test_a_foreign_implementation_verifies_ours() -> None:
    """securesystemslib's DSSE accepts our envelopes with our keyids, and refuses a changed payload."""
    value = json.loads(dump_envelope(signed(KEYS[0], KEYS[1])))
    keys = [foreign_key(KEYS[0]), foreign_key(KEYS[1])]
    accepted = ForeignEnvelope.from_dict(json.loads(json.dumps(value))).verify(keys, 2)
    assert set(accepted) == {keyid_of(KEYS[0]), keyid_of(KEYS[1])}
    changed = ForeignEnvelope.from_dict({**value, "payload": base64.b64encode(b'{"v":2}').decode()})
    with pytest.raises(ForeignVerificationError):
        changed.verify(keys, 1)


def test_we_pre_encode_as_a_foreign_implementation_does() -> None:
    """The bytes to sign are those of securesystemslib."""
    foreign = ForeignEnvelope(PAYLOAD, RECORD_TYPE, {})
    assert foreign.pae() == pae(RECORD_TYPE, PAYLOAD)
    assert canonical.parse(PAYLOAD, limit=100) == {"v": 1}
