from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable

import pytest

from ledger.errors import FormatError, SignatureError
from ledger.keys import PublicKey
from ledger.records import envelope
from ledger.tlog import cosignature
from ledger.tlog.checkpoint import Checkpoint
from ledger.tlog.note import COSIGNATURE_ED25519, ED25519, NoteSignature, check_ed25519, make_vkey
from tests.tlog.logs import vectors

# How many of the 914 cases with each flag are accepted and refused: PyNaCl's profile, which is Bening's.
PROFILE = {
    ("low_order_A", False): 526,
    ("low_order_R", False): 586,
    ("low_order_component_A", False): 732,
    ("low_order_component_A", True): 42,
    ("low_order_component_R", False): 630,
    ("low_order_component_R", True): 35,
    ("low_order_residue", False): 583,
    ("non_canonical_A", False): 226,
    ("non_canonical_R", False): 316,
    ("plain", True): 1,
    ("reencoded_k", False): 146,
}


def verdict(key: str, message: bytes, signature: str) -> bool:
    try:
        check_ed25519(bytes.fromhex(key), message, bytes.fromhex(signature))
    except SignatureError:
        return False
    return True


def test_wycheproof() -> None:
    """Every case of Wycheproof is judged as there."""
    cases = vectors("wycheproof-ed25519.json")
    judged = {True: 0, False: 0}
    for group in cases["testGroups"]:
        for case in group["tests"]:
            held = verdict(group["publicKey"]["pk"], bytes.fromhex(case["msg"]), case["sig"])
            assert held == (case["result"] == "valid"), case["comment"]
            judged[held] += 1
    assert judged == {True: 88, False: 63}


def test_edge_cases() -> None:
    """On the CCTV edge cases, where verifiers differ, no small-order or non-canonical point is accepted by any of them."""
    accepted = [case for case in vectors("cctv-ed25519.json") if verdict(case["key"], case["msg"].encode(), case["sig"])]
    forbidden = {"low_order_A", "low_order_R", "non_canonical_A", "non_canonical_R", "low_order_residue", "reencoded_k"}
    assert len(accepted) == 43
    for case in accepted:
        assert not forbidden & set(case["flags"] or [])


def test_edge_cases_are_judged_alike_for_ever() -> None:
    """The verdict on each edge case is pinned: a library that judges one otherwise must not come in unseen."""
    verdicts = "".join("01"[verdict(case["key"], case["msg"].encode(), case["sig"])] for case in vectors("cctv-ed25519.json"))
    assert len(verdicts) == 914
    assert hashlib.sha256(verdicts.encode()).hexdigest() == "9111cd3acbe211e15031707588bc9d68cb7b0c2d8f500fad1ebfedfc4362ffab"


def test_s_at_or_above_the_order_is_refused() -> None:
    """A true signature with the group order added to S, which some verifiers accept, is refused."""
    from nacl.signing import SigningKey

    secret = SigningKey(b"\x07" * 32)
    signature = secret.sign(b"message").signature
    order = 2**252 + 27742317777372353535851937790883648493
    moved = signature[:32] + (int.from_bytes(signature[32:], "little") + order).to_bytes(32, "little")
    public = bytes(secret.verify_key).hex()
    assert verdict(public, b"message", signature.hex())
    assert not verdict(public, b"message", moved.hex())


def test_a_small_order_key_signs_nothing() -> None:
    """The neutral element as key, which would accept one signature for every message, is refused."""
    neutral = (1).to_bytes(32, "little").hex()
    assert not verdict(neutral, b"any message", neutral + "00" * 32)


def ways(monkeypatch: pytest.MonkeyPatch) -> dict[str, Callable[[bytes, bytes, bytes], None]]:
    """Every way by which a signature is checked, given (key, message, signature): the texts around the message are taken off."""
    monkeypatch.setattr(cosignature, "_ed25519_message", lambda text, timestamp: text)
    monkeypatch.setattr(envelope, "pae", lambda payload_type, payload: payload)

    def by_note(algorithm: int, stamp: bytes) -> Callable[[bytes, bytes, bytes], None]:
        def check(key: bytes, message: bytes, signature: bytes) -> None:
            vkey = make_vkey("log.test", algorithm, key)
            line = NoteSignature(vkey.name, vkey.key_id, stamp + signature)
            cosignature.check_signature(vkey, message, line, lambda text: Checkpoint("", 0, b""))

        return check

    def by_person(key: bytes, message: bytes, signature: bytes) -> None:
        PublicKey.from_raw(key).check(message, signature)

    def by_envelope(key: bytes, message: bytes, signature: bytes) -> None:
        public = PublicKey.from_raw(key)
        signed = envelope.Signature(public.keyid, signature)
        envelope.check_signature(envelope.Envelope("text/plain", message, (signed,)), signed, public)

    return {
        "bytes": check_ed25519,
        "person": by_person,
        "envelope": by_envelope,
        "note": by_note(ED25519, b""),
        "cosignature": by_note(COSIGNATURE_ED25519, (1).to_bytes(8, "big")),
    }


def accepts(check: Callable[[bytes, bytes, bytes], None], key: str, message: bytes, signature: str) -> bool:
    try:
        check(bytes.fromhex(key), message, bytes.fromhex(signature))
    except (SignatureError, FormatError):
        return False
    return True


@pytest.mark.parametrize("way", ["bytes", "person", "envelope", "note", "cosignature"])
def test_every_way_judges_wycheproof_alike(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a signature stands in, Wycheproof's 151 verdicts are ours: 88 accepted, 63 refused."""
    check, counts = ways(monkeypatch)[way], Counter[bool]()
    for group in vectors("wycheproof-ed25519.json")["testGroups"]:
        for case in group["tests"]:
            held = accepts(check, group["publicKey"]["pk"], bytes.fromhex(case["msg"]), case["sig"])
            assert held == (case["result"] == "valid"), (way, case["tcId"], case["comment"])
            counts[held] += 1
    assert counts == {True: 88, False: 63}


@pytest.mark.parametrize("way", ["bytes", "person", "envelope", "note", "cosignature"])
def test_every_way_has_one_profile(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The CCTV cases come without verdicts; ours are pinned by class of edge case, whatever a signature stands in."""
    check, counts, verdicts = ways(monkeypatch)[way], Counter[tuple[str, bool]](), ""
    for case in vectors("cctv-ed25519.json"):
        held = accepts(check, case["key"], case["msg"].encode(), case["sig"])
        verdicts += "01"[held]
        counts.update((flag, held) for flag in (case["flags"] or ["plain"]))
    assert counts == PROFILE
    assert (verdicts.count("1"), verdicts.count("0")) == (43, 871)
    assert hashlib.sha256(verdicts.encode()).hexdigest() == "9111cd3acbe211e15031707588bc9d68cb7b0c2d8f500fad1ebfedfc4362ffab"
