"""Every rule and status of C2SP tlog-witness, "add-checkpoint", from its text."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ledger.errors import ConflictError, LedgerError
from ledger.tlog.checkpoint import parse_any_checkpoint
from ledger.tlog.cosignature import check_signature
from ledger.tlog.note import COSIGNATURE_ED25519, COSIGNATURE_MLDSA44, MAX_NOTE, NoteSignature, parse_note
from ledger.witness.state import WitnessState
from ledger.witness.witness import Witness, vkeys_of
from tests.witness.conftest import NAME, NOW, Wall
from tests.witness.logs import Log, body
from web.errors import status_of_witness


def ask(witness: Witness, request: bytes) -> tuple[int, bytes]:
    """Return status and body of one answer."""
    (answer,) = witness.add_checkpoints([request])
    if isinstance(answer, ConflictError):
        return 409, b"%d\n" % answer.known_size
    return (status_of_witness(answer), b"") if isinstance(answer, LedgerError) else (200, answer)


def lines_in(answer: bytes, text: bytes) -> list[NoteSignature]:
    """Return the signature lines of an answer, joined to the checkpoint as a client does."""
    return list(parse_note(text + b"\n" + answer).signatures)


def test_a_first_checkpoint_is_cosigned_by_both_keys(witness: Witness, log: Log) -> None:
    """200: signature lines by both keys, over this checkpoint, with a time; each line ends in a newline."""
    status, answer = ask(witness, log.request(0, 3))
    assert status == 200
    assert answer.endswith(b"\n")
    assert all(line.startswith("\u2014 ") for line in answer.decode().splitlines())
    keys = vkeys_of(NAME, witness.keys)
    assert [key.algorithm for key in keys] == [COSIGNATURE_ED25519, COSIGNATURE_MLDSA44]
    found = lines_in(answer, log.text(3))
    assert [check_signature(key, log.text(3), one, parse_any_checkpoint) for key, one in zip(keys, found, strict=True)] == [NOW, NOW]


def test_growth_is_cosigned(witness: Witness, log: Log) -> None:
    """Each size up to 40 from each size before it, by an honest proof."""
    for old, new in ((0, 1), (1, 2), (2, 3), (3, 7), (7, 8), (8, 8), (8, 9), (9, 40)):
        assert ask(witness, log.request(old, new))[0] == 200, (old, new)


def test_another_old_size_is_a_conflict_that_tells_the_size(witness: Witness, log: Log) -> None:
    """409 with the size of the newest cosigned checkpoint, zero where there is none, also before the proof is looked at."""
    assert ask(witness, log.request(3, 5)) == (409, b"0\n")
    assert ask(witness, log.request(0, 5))[0] == 200
    assert ask(witness, log.request(0, 5)) == (409, b"5\n")
    assert ask(witness, body(4, [b"x" * 32], log.note(9))) == (409, b"5\n")
    assert ask(witness, body(0, [b"x" * 32], log.note(9))) == (409, b"5\n")


def test_an_old_size_above_the_new_one_is_malformed(witness: Witness, log: Log) -> None:
    """400: the old size must be equal to or lower than the checkpoint's, whatever was cosigned."""
    assert ask(witness, body(4, [], log.note(3)))[0] == 400
    assert ask(witness, log.request(0, 5))[0] == 200
    assert ask(witness, body(5, [], log.note(4)))[0] == 400


def test_an_unknown_origin(witness: Witness, log: Log) -> None:
    """404; also where the signature does not hold: it is not looked at."""
    other = Log("log.example/other", seed=2)
    assert ask(witness, other.request(0, 1))[0] == 404
    assert ask(witness, log.request(0, 1).replace(log.origin.encode(), b"log.example/two"))[0] == 404


def test_signatures(witness: Witness, log: Log) -> None:
    """403: none by a trusted key; one that names a trusted key and does not hold, also beside one that does."""
    text = log.text(2)
    good = log.signature(text)
    broken = replace(good, signature=good.signature[:-1] + bytes([good.signature[-1] ^ 1]))
    stranger = Log(log.origin, seed=9).signature(text)
    other_name = replace(good, name="log.example/two")
    for signatures in ([stranger], [other_name], [broken], [good, broken], [broken, good], [stranger, broken]):
        assert ask(witness, body(0, [], log.note(2, *signatures)))[0] == 403, signatures
    unknown = NoteSignature(good.name, bytes(4), b"anything at all")
    for signatures in ([good, stranger], [unknown, good], [good, good], [*[stranger] * 15, good]):
        old = 0 if not witness.state.last_time() else 2
        assert ask(witness, body(old, [], log.note(2, *signatures)))[0] == 200, signatures
    kept = parse_note(witness.state.logs()[0].note)
    assert [one.name for one in kept.signatures] == [log.origin, NAME, NAME]  # the log's own once, and nobody else's


def test_a_false_proof(witness: Witness, log: Log) -> None:
    """422: a proof that does not verify, one that is not empty from size zero, another root of one size, a false empty tree."""
    false = Log(salt="false", forked=3)
    assert ask(witness, body(0, [bytes(32)], log.note(4)))[0] == 422
    assert ask(witness, body(0, [], log.note(0, root=bytes(32))))[0] == 422
    assert ask(witness, log.request(0, 4))[0] == 200
    assert ask(witness, body(4, false.proof(4, 9), false.note(9)))[0] == 422
    assert ask(witness, body(4, log.proof(4, 9)[:-1], log.note(9)))[0] == 422
    assert ask(witness, body(4, [*log.proof(4, 9), bytes(32)], log.note(9)))[0] == 422
    assert ask(witness, body(4, [], false.note(4)))[0] == 422
    assert ask(witness, body(4, [bytes(32)], log.note(4)))[0] == 422
    assert witness.state.logs()[0].seen.size == 4
    assert ask(witness, log.request(4, 9))[0] == 200
    assert [code for code, _, _ in witness.state.odd_of(log.origin)] == ["two-roots"]


def test_the_empty_tree(witness: Witness, log: Log) -> None:
    """Size zero with the root of the empty tree is cosigned, and anything continues it."""
    assert ask(witness, log.request(0, 0))[0] == 200
    assert ask(witness, log.request(0, 0))[0] == 200
    assert ask(witness, log.request(0, 6))[0] == 200


@pytest.mark.parametrize(
    "change",
    [
        lambda request: b"",
        lambda request: request.replace(b"old 0\n", b"old 00\n"),
        lambda request: request.replace(b"old 0\n", b"old  0\n"),
        lambda request: request.replace(b"old 0\n", b"old -1\n"),
        lambda request: request.replace(b"old 0\n", b"old +1\n"),
        lambda request: request.replace(b"old 0\n", b"old 9223372036854775808\n"),
        lambda request: request.replace(b"old 0\n", b"size 0\n"),
        lambda request: request.replace(b"old 0\n", b"old 0\r\n"),
        lambda request: request.replace(b"old 0\n\n", b"old 0\n"),
        lambda request: request.replace(b"old 0\n\n", b"old 0\nAAAA\n\n"),
        lambda request: request.replace(b"old 0\n\n", b"old 0\n" + b"A" * 43 + b"\n\n"),
        lambda request: request.replace(b"old 0\n\n", b"old 0\n" + b"A" * 42 + b"B=\n\n"),
        lambda request: request[:-1],
        lambda request: request + b"\n",
        lambda request: request.replace(b"\n3\n", b"\n03\n"),
        lambda request: request.replace(b"\n3\n", b"\n\xff\n"),
        lambda request: request.replace(b"\n3\n", b"\n3\t\n"),
        lambda request: request.replace(b"\n3\n", b"\n3\n\n"),
        lambda request: request + b"x" * MAX_NOTE,
    ],
)  # fmt: skip
def test_what_is_malformed(witness: Witness, log: Log, change: object) -> None:
    """400, and nothing is kept."""
    request = log.request(0, 3)
    assert callable(change)
    changed = change(request)
    assert changed != request
    assert ask(witness, changed)[0] == 400
    assert witness.state.logs()[0].time == 0


def test_63_hashes_are_read_and_64_are_not(witness: Witness, log: Log) -> None:
    """A proof may have 63 lines, whatever they prove; one of 64 is malformed."""
    assert ask(witness, log.request(0, 4))[0] == 200
    assert ask(witness, body(4, [bytes(32)] * 63, log.note(9)))[0] == 422
    assert ask(witness, body(4, [bytes(32)] * 64, log.note(9)))[0] == 400


@pytest.mark.parametrize("origin", ["catatan.example/kota Semarang ✓ ꦱꦼꦩꦫꦁ", "x", "a" * 255])
def test_any_origin(witness: Witness, origin: str) -> None:
    """A log that is not ours may have any origin: Unicode, spaces; its keys have a name of their own."""
    log = Log(origin)
    named = Log(origin.replace(" ", "_"))
    with witness.state.transaction():
        witness.state.add_log(origin, [named.key])
    text = log.text(5)
    signature = named.signature(text)
    assert ask(witness, body(0, [], log.note(5, signature)))[0] == 200


def test_extension_lines(witness: Witness, log: Log) -> None:
    """Opaque lines after the root belong to what is signed, and are cosigned with it."""
    request = log.request(0, 3, more="more: of it\nand this\n")
    status, answer = ask(witness, request)
    assert status == 200
    text = log.text(3, more="more: of it\nand this\n")
    assert check_signature(vkeys_of(NAME, witness.keys)[0], text, lines_in(answer, text)[0], parse_any_checkpoint) == NOW
    assert witness.state.logs()[0].note.startswith(text)


def test_two_racing_requests(witness: Witness, state: WitnessState, log: Log) -> None:
    """The race in the specification: whoever comes second is told the size that the first has left."""
    assert ask(witness, log.request(0, 4))[0] == 200
    for order in ((9, 6), (12, 20)):
        old = state.logs()[0].seen.size
        first, second = witness.add_checkpoints([log.request(old, size) for size in order])
        assert isinstance(first, bytes)
        assert isinstance(second, ConflictError)
        assert second.known_size == order[0] == state.logs()[0].seen.size


def test_times_never_go_back(witness: Witness, log: Log, wall: Wall) -> None:
    """A clock that is set back a little repeats the newest time; one that jumps stops the witness."""
    assert ask(witness, log.request(0, 4))[0] == 200
    wall.wall -= 60
    status, answer = ask(witness, log.request(4, 5))
    assert status == 200
    found = lines_in(answer, log.text(5))
    assert check_signature(vkeys_of(NAME, witness.keys)[0], log.text(5), found[0], parse_any_checkpoint) == NOW
    wall.wall += 3600
    with pytest.raises(LedgerError) as caught:
        witness.add_checkpoints([log.request(5, 6)])
    assert (caught.value.code, status_of_witness(caught.value)) == ("clock-jumped", 503)
    assert witness.state.logs()[0].seen.size == 5


def test_a_refused_proof_is_spelled_as_it_came(witness: Witness, log: Log) -> None:
    """What convicts a log is kept byte for byte, once, and only where the log's own signature holds.

    A false proof with an honest checkpoint, which anybody can send, convicts nobody.
    """
    false = Log(salt="false", forked=3)
    assert ask(witness, log.request(0, 5))[0] == 200
    bad = body(5, false.proof(5, 9), false.note(9))
    for _ in range(3):
        assert ask(witness, bad)[0] == 422
    assert ask(witness, bad.replace(b"\n9\n", b"\n8\n"))[0] == 403
    for proof in (false.proof(5, 9), log.proof(5, 9)[::-1], [bytes(32)] * len(log.proof(5, 9)), [], log.proof(4, 9)):
        assert ask(witness, body(5, proof, log.note(9)))[0] == 422
    assert [one[2] for one in witness.state.odd_of(log.origin)] == [bad]
