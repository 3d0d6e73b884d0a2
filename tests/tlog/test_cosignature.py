from __future__ import annotations

from dataclasses import replace

import pytest

from ledger.errors import FormatError, NewerFormatError, PolicyError, SignatureError
from ledger.tlog.checkpoint import Checkpoint, format_checkpoint
from ledger.tlog.cosignature import check_signature, open_checkpoint
from ledger.tlog.note import Note, NoteSignature, VerifierKey, check_ed25519
from tests.tlog.logs import LOG, LOG_PQ_KEY, ORIGIN, QUANTUM_WITNESS, TIME, WITNESSES, QuantumSigner, Signer, flip

CHECKPOINT = Checkpoint(ORIGIN, 7, b"r" * 32)
TEXT = format_checkpoint(CHECKPOINT)
W0, W1, _ = WITNESSES
SIGNERS = (LOG, W0, QUANTUM_WITNESS)


@pytest.mark.parametrize("signer", SIGNERS)
def test_round_trip(signer: Signer | QuantumSigner) -> None:
    """Each of the three types is accepted, and gives the time that it states; the log's own type states none."""
    assert check_signature(signer.vkey, TEXT, signer.sign(CHECKPOINT)) == (None if signer is LOG else TIME)


def test_the_signed_message_of_ed25519() -> None:
    """Type 0x04 signs the two header lines of tlog-cosignature and the text."""
    signature = W0.sign(CHECKPOINT, 1_679_315_147).signature
    assert signature[:8] == (1_679_315_147).to_bytes(8, "big")
    check_ed25519(W0.public, b"cosignature/v1\ntime 1679315147\n" + TEXT, signature[8:])


def test_the_signed_message_of_ml_dsa() -> None:
    """Type 0x06 signs the structure of tlog-cosignature, written out here byte by byte."""
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

    signature = QUANTUM_WITNESS.sign(CHECKPOINT).signature
    message = b"subtree/v1\n\x00" + b"\x0fquantum.example" + TIME.to_bytes(8, "big") + b"\x13ledger.example/city"
    message += b"\0" * 8 + b"\0\0\0\0\0\0\0\x07" + b"r" * 32
    assert len(signature) == 8 + 2420
    MLDSA44PublicKey.from_public_bytes(QUANTUM_WITNESS.vkey.key).verify(signature[8:], message)


@pytest.mark.parametrize("signer", SIGNERS)
def test_mutated_signatures(signer: Signer | QuantumSigner) -> None:
    """A flipped bit in time or signature, a byte more or less, another key, size, root or origin: nothing holds."""
    signature = signer.sign(CHECKPOINT)
    data = signature.signature
    step = 1 if len(data) < 100 else 67
    wrong = [flip(data, at, at % 8) for at in [*range(8), *range(8, len(data), step), len(data) - 1]]
    wrong += [b"", data[:1], data[:7], data[:8], data[:-1], data + b"\0", data[8:], b"\0" * len(data)]
    for one in wrong:
        with pytest.raises(SignatureError):
            check_signature(signer.vkey, TEXT, replace(signature, signature=one))
    others = ({"size": 8}, {"root": b"s" * 32}, {"origin": "ledger.example/other"})
    for other in (replace(CHECKPOINT, **values) for values in others):
        with pytest.raises(SignatureError):
            check_signature(signer.vkey, format_checkpoint(other), signature)
    with pytest.raises(SignatureError):
        check_signature(replace(signer.vkey, key=flip(signer.vkey.key, 3)), TEXT, signature)


@pytest.mark.parametrize("signer", SIGNERS)
def test_a_signature_belongs_to_one_key(signer: Signer | QuantumSigner) -> None:
    """A line under another name or id is not checked against this key, even if its bytes would hold."""
    signature = signer.sign(CHECKPOINT)
    for other in (replace(signature, name="other.example"), replace(signature, key_id=b"\0" * 4)):
        with pytest.raises(SignatureError):
            check_signature(signer.vkey, TEXT, other)


def test_types_are_not_mixed() -> None:
    """A log's signature is no cosignature and the other way round, also by one key."""
    log, witness = Signer("same.example", 5), Signer("same.example", 5, 0x04)
    assert log.public == witness.public
    for key, signature in ((log.vkey, witness.sign(CHECKPOINT)), (witness.vkey, log.sign(CHECKPOINT))):
        with pytest.raises(SignatureError):
            check_signature(key, TEXT, replace(signature, key_id=key.key_id))


def test_ml_dsa_commits_to_the_name() -> None:
    """One post-quantum key under two names makes signatures that cannot be exchanged."""
    first, second = QuantumSigner("first.example", 9), QuantumSigner("second.example", 9)
    stolen = replace(first.sign(CHECKPOINT), name="second.example", key_id=second.vkey.key_id)
    with pytest.raises(SignatureError):
        check_signature(second.vkey, TEXT, stolen)


@pytest.mark.parametrize("time", [0, 2**63, 2**64 - 1])
def test_times_out_of_range(time: int) -> None:
    """A cosignature whose time is 0 or above 2**63-1 is neither made nor accepted, though its signature would hold."""
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

    raw = W0.secret.sign(b"cosignature/v1\ntime %d\n" % time + TEXT).signature
    message = b"subtree/v1\n\x00" + b"\x0fquantum.example" + time.to_bytes(8, "big") + b"\x13ledger.example/city"
    message += b"\0" * 8 + b"\0\0\0\0\0\0\0\x07" + b"r" * 32
    quantum = MLDSA44PrivateKey.from_seed_bytes(b"\x14" * 32).sign(message)
    for signer, signature in ((W0, raw), (QUANTUM_WITNESS, quantum)):
        with pytest.raises(SignatureError):
            check_signature(signer.vkey, TEXT, replace(signer.sign(CHECKPOINT), signature=time.to_bytes(8, "big") + signature))
        with pytest.raises(FormatError) as caught:
            signer.sign(CHECKPOINT, time)
        assert caught.value.code == "bad-time"


@pytest.mark.parametrize("signer", [W0, QUANTUM_WITNESS])
def test_the_largest_time(signer: Signer | QuantumSigner) -> None:
    """2**63-1 is still a time."""
    assert check_signature(signer.vkey, TEXT, signer.sign(CHECKPOINT, 2**63 - 1)) == 2**63 - 1


def test_unknown_types_are_newer() -> None:
    """A key of an unknown type is not judged."""
    key = VerifierKey("name", b"1234", 0x07, b"k")
    with pytest.raises(NewerFormatError):
        check_signature(key, TEXT, NoteSignature("name", b"1234", b"s"))


def test_cosignatures_are_for_checkpoints() -> None:
    """A cosignature over another text, or one with extension lines, is not even looked at."""
    for text in (b"no checkpoint\n", TEXT + b"extension\n"):
        for signer in (W0, QUANTUM_WITNESS):
            with pytest.raises(FormatError):
                check_signature(signer.vkey, text, signer.sign(CHECKPOINT))


def test_a_machine_without_ml_dsa(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the library below has no ML-DSA, the signature is not checked, and is not called false."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import mldsa

    class Missing:
        @staticmethod
        def from_public_bytes(_data: bytes) -> None:
            raise UnsupportedAlgorithm("no")

    signature = QUANTUM_WITNESS.sign(CHECKPOINT)
    monkeypatch.setattr(mldsa, "MLDSA44PublicKey", Missing)
    with pytest.raises(NewerFormatError):
        check_signature(QUANTUM_WITNESS.vkey, TEXT, signature)


def note(*signatures: NoteSignature) -> Note:
    return Note(TEXT, signatures)


ALL = [LOG.vkey, LOG_PQ_KEY.vkey, W0.vkey, W1.vkey, QUANTUM_WITNESS.vkey]


def test_open() -> None:
    """Every known key that signed is found, with its time; the others are not."""
    signed = note(LOG.sign(CHECKPOINT), LOG_PQ_KEY.sign(CHECKPOINT), W1.sign(CHECKPOINT, 5))
    assert open_checkpoint(signed, ALL) == {LOG.vkey: None, LOG_PQ_KEY.vkey: TIME, W1.vkey: 5}


def test_unknown_keys_are_ignored() -> None:
    """Lines by unknown keys do nothing, false ones, doubled ones and those that share name or id with a known key included."""
    known = LOG.sign(CHECKPOINT)
    strangers = [
        NoteSignature("stranger.example", known.key_id, b"x"),
        NoteSignature(known.name, b"\0" * 4, b"x"),
        W0.sign(CHECKPOINT),
        W0.sign(CHECKPOINT),
    ]
    assert open_checkpoint(note(*strangers, known), [LOG.vkey]) == {LOG.vkey: None}


@pytest.mark.parametrize("signer", SIGNERS)
def test_one_false_line_of_a_known_key_refuses_the_note(signer: Signer | QuantumSigner) -> None:
    """However many others hold, a known key's false line refuses all."""
    true = [one.sign(CHECKPOINT) for one in (LOG, LOG_PQ_KEY, W0, W1, QUANTUM_WITNESS)]
    false = [replace(one, signature=flip(one.signature, -9)) if one.key_id == signer.vkey.key_id else one for one in true]
    open_checkpoint(note(*true), ALL)
    with pytest.raises(SignatureError):
        open_checkpoint(note(*false), ALL)


@pytest.mark.parametrize("signer", SIGNERS)
def test_two_lines_of_one_key(signer: Signer | QuantumSigner) -> None:
    """A known key that signed twice, be it truly, refuses the note: which time would count?"""
    with pytest.raises(SignatureError):
        open_checkpoint(note(signer.sign(CHECKPOINT, 5), signer.sign(CHECKPOINT, 6)), ALL)


def test_nobody_known() -> None:
    """Without any known key the note is refused."""
    with pytest.raises(PolicyError) as caught:
        open_checkpoint(note(W0.sign(CHECKPOINT)), [LOG.vkey])
    assert caught.value.code == "wrong-key"


def test_two_keys_that_look_alike() -> None:
    """Two different known keys of one name and id cannot be told apart in a note; the same key named twice can."""
    signed = note(LOG.sign(CHECKPOINT))
    assert open_checkpoint(signed, [LOG.vkey, LOG.vkey]) == {LOG.vkey: None}
    with pytest.raises(PolicyError) as caught:
        open_checkpoint(signed, [LOG.vkey, replace(LOG.vkey, key=b"k" * 32)])
    assert caught.value.code == "same-key-id"
