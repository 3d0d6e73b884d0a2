"""Convictions: each kind is made and checked, every change of one is refused, and no honest log can be convicted."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from ledger.errors import FormatError, LedgerError, NewerFormatError, ProofError, SignatureError
from ledger.tlog import conviction as convictions
from ledger.tlog.checkpoint import Checkpoint, format_checkpoint, parse_checkpoint
from ledger.tlog.conviction import (
    MAGIC,
    MAX_CONVICTION,
    OTHER_HISTORY,
    SAME_SIZE,
    TIME_ORDER,
    Conviction,
    check_conviction,
    format_conviction,
    open_heads,
    parse_conviction,
)
from ledger.tlog.merkle import Node, leaf_hash, prove_consistency, root_hash
from ledger.tlog.note import MAX_NOTE, Note, NoteSignature, format_note, make_vkey, parse_note
from tests.tlog.logs import LOG, LOG_PQ_KEY, ORIGIN, QUANTUM_WITNESS, TIME, WITNESSES, QuantumSigner, Signer, flip

KEYS = (LOG.vkey, LOG_PQ_KEY.vkey)
NEXT, NEXT_PQ = Signer(ORIGIN, 3), QuantumSigner(ORIGIN, 4)
KINDS = (SAME_SIZE, OTHER_HISTORY, TIME_ORDER)


def leaves(story: str, size: int, *, shared: int = 3) -> list[bytes]:
    """Return leaf hashes: the first ``shared`` are the same in every story."""
    return [leaf_hash(f"{story if index >= shared else ''} {index}".encode()) for index in range(size)]


def reader(hashes: Sequence[bytes]) -> Callable[[Sequence[Node]], list[bytes]]:
    """Return what reads nodes of the tree over ``hashes``."""
    return lambda nodes: [root_hash(hashes[index << level : (index + 1) << level]) for level, index in nodes]


def head(hashes: Sequence[bytes], *signers: Signer | QuantumSigner, time: int = TIME, origin: str = ORIGIN) -> bytes:
    """Return the head of the tree over ``hashes``, signed by both of the log's keys unless others are named."""
    checkpoint = Checkpoint(origin, len(hashes), root_hash(hashes))
    lines = tuple(one.sign(checkpoint, time) for one in signers or (LOG, LOG_PQ_KEY))
    return format_note(Note(format_checkpoint(checkpoint), lines))


def growth(hashes: Sequence[bytes], old: int) -> tuple[bytes, ...]:
    """Return the root of the first ``old`` leaves, and the consistency proof from there."""
    return root_hash(hashes[:old]), *prove_consistency(old, len(hashes), reader(hashes))


def conviction(kind: str, old: int = 5, new: int = 9) -> Conviction:
    """Return a true conviction of each kind."""
    first, second, proof = head(leaves("a", old)), head(leaves("b", new)), ()
    if kind == SAME_SIZE:
        second = head(leaves("b", old))
    elif kind == OTHER_HISTORY:
        return Conviction(kind, KEYS, growth(leaves("b", new), old), first, second)
    else:
        first, second = head(leaves("a", new)), head(leaves("a", old), time=TIME + 1)
    return Conviction(kind, KEYS, proof, first, second)


def refused(one: Conviction, **counts: object) -> str:
    with pytest.raises((ProofError, SignatureError)) as caught:
        check_conviction(one, **counts)  # type: ignore[arg-type]
    return caught.value.code


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_convicts_by_its_file_alone(kind: str) -> None:
    """Written, read back and checked; the file begins as it says."""
    one = conviction(kind)
    data = format_conviction(one)
    assert data.startswith(f"{MAGIC}\nkind {kind}\nkey {ORIGIN}+".encode())
    assert parse_conviction(data) == one
    check_conviction(one)
    heads = open_heads(one)
    assert [set(found.signed) for found in heads] == [set(KEYS)] * 2


def test_every_pair_of_sizes() -> None:
    """Another history is proven for every pair of sizes from 1 on; a proof from another size leads nowhere."""
    for new in range(2, 34):
        for old in range(1, new):
            one = Conviction(
                OTHER_HISTORY, KEYS[:1], growth(leaves("b", new, shared=0), old),
                head(leaves("a", old, shared=0), LOG), head(leaves("b", new, shared=0), LOG),
            )  # fmt: skip
            check_conviction(one)
            if len(one.proof) > 1:
                assert refused(replace(one, proof=one.proof[:-1])) == "conviction-proof"


def test_size_zero_is_in_every_history() -> None:
    """The empty tree contradicts nothing larger; two roots of size 0 are two roots."""
    empty = head([])
    assert refused(Conviction(OTHER_HISTORY, KEYS, (b"x" * 32,), empty, head(leaves("a", 4)))) == "conviction-agrees"
    other = Checkpoint(ORIGIN, 0, b"x" * 32)
    wrong = format_note(Note(format_checkpoint(other), (LOG.sign(other),)))
    check_conviction(Conviction(SAME_SIZE, KEYS, (), empty, wrong))


# -- what does not convict


def test_heads_that_agree() -> None:
    """One head twice, growth, a copy of yesterday: nothing of it convicts, whatever it is called."""
    small, large = head(leaves("a", 5)), head(leaves("a", 9), time=TIME + 9)
    for first, second in ((small, large), (large, small), (small, small)):
        for kind in KINDS:
            for proof in ((), growth(leaves("a", 9), 5), growth(leaves("b", 9), 5)):
                assert refused(Conviction(kind, KEYS, proof, first, second)) in ("conviction-agrees", "conviction-proof")


def test_times_convict_only_by_one_post_quantum_key_of_the_log() -> None:
    """The same second, Ed25519, another key of the log, and a witness's times say nothing."""
    large, small = leaves("a", 9), leaves("a", 5)
    later = TIME + 1
    for keys, first, second in (
        (KEYS, head(large), head(small)),
        (KEYS[:1], head(large), head(small, time=later)),
        (KEYS, head(large, LOG), head(small, time=later)),
        ((*KEYS, NEXT_PQ.vkey), head(large, LOG_PQ_KEY), head(small, NEXT_PQ, time=later)),
        (KEYS, head(large, time=later), head(small)),
        (KEYS, head(small), head(large, time=later)),
        (KEYS, head(large, LOG, QUANTUM_WITNESS), head(small, LOG, QUANTUM_WITNESS, time=later)),
    ):
        assert refused(Conviction(TIME_ORDER, keys, (), first, second)) == "conviction-agrees"


@pytest.mark.parametrize("kind", KINDS)
def test_a_witness_never_convicts(kind: str) -> None:
    """Heads that only witnesses signed, and a witness's key among the keys, are refused."""
    one = conviction(kind)
    bare = [format_note(Note(parse_note(note).text, tuple(
        signer.sign(parse_checkpoint(parse_note(note).text)) for signer in (WITNESSES[0], QUANTUM_WITNESS)
    ))) for note in (one.first, one.second)]  # fmt: skip
    assert refused(replace(one, first=bare[0], second=bare[1])) == "conviction-unsigned"
    assert refused(replace(one, first=bare[0], second=bare[1], keys=(QUANTUM_WITNESS.vkey,))) == "conviction-names"
    assert refused(replace(one, keys=(*KEYS, QUANTUM_WITNESS.vkey))) == "conviction-names"
    witness = Signer(ORIGIN, 9, WITNESSES[0].algorithm)
    with pytest.raises(FormatError):
        format_conviction(replace(one, keys=(*KEYS, witness.vkey)))
    assert refused(replace(one, keys=(*KEYS, witness.vkey))) == "conviction-names"


def test_two_logs_are_two_logs() -> None:
    """Heads of two origins contradict nobody."""
    other = Signer("ledger.example/village", 1)
    one = Conviction(SAME_SIZE, (LOG.vkey, other.vkey), (), head(leaves("a", 5), LOG),
                     head(leaves("b", 5), other, origin=other.name))  # fmt: skip
    assert refused(one) == "conviction-names"


@pytest.mark.parametrize("kind", KINDS)
def test_a_borrowed_signature_is_refused(kind: str) -> None:
    """A head under the signatures of another head, or under one of them only, is not signed."""
    one = conviction(kind)
    lines = parse_note(one.first).signatures
    stolen = format_note(Note(parse_note(one.second).text, lines))
    with pytest.raises(SignatureError):
        check_conviction(replace(one, second=stolen))
    half = format_note(Note(parse_note(one.second).text, (lines[0], parse_note(one.second).signatures[1])))
    with pytest.raises(SignatureError):
        check_conviction(replace(one, second=half))


# -- keys


def test_keys_of_two_times() -> None:
    """A head by the former keys and one by the present ones convict together; which signed which is told."""
    one = Conviction(SAME_SIZE, (LOG.vkey, NEXT.vkey), (), head(leaves("a", 5), LOG), head(leaves("b", 5), NEXT))
    check_conviction(one)
    assert [list(found.signed) for found in open_heads(one)] == [[LOG.vkey], [NEXT.vkey]]


def test_only_keys_that_count() -> None:
    """A reader's own keys decide: what a stranger's key of that name signed convicts nobody whom the reader knows."""
    one = Conviction(SAME_SIZE, (LOG.vkey, NEXT.vkey), (), head(leaves("a", 5), LOG), head(leaves("b", 5), NEXT))
    assert refused(one, counts=lambda key, size: key == LOG.vkey) == "conviction-unsigned"
    assert refused(one, counts=lambda key, size: False) == "conviction-unsigned"
    check_conviction(one, lambda key, size: size == 5)
    assert refused(one, counts=lambda key, size: size != 5) == "conviction-unsigned"
    late = conviction(TIME_ORDER)
    check_conviction(late, lambda key, size: key == LOG_PQ_KEY.vkey)
    assert refused(late, counts=lambda key, size: key == LOG.vkey or size == 5) == "conviction-agrees"


# -- the file


@pytest.mark.parametrize("kind", KINDS)
def test_every_flipped_bit(kind: str) -> None:
    """Refused, or it still convicts the same key of the same two heads: never another meaning."""
    one = conviction(kind)
    data, meant = format_conviction(one), meaning(one)
    rng = random.Random(7)
    for at in range(0, len(data), 3) if len(data) < 3000 else sorted(rng.sample(range(len(data)), 1500)):
        try:
            found = parse_conviction(flip(data, at, rng.randrange(8)))
            check_conviction(found)
        except LedgerError:
            continue
        assert meaning(found) == meant, at


def meaning(one: Conviction) -> object:
    """What a conviction says: the kind, and both heads' texts. Names in the lines of strangers do not matter."""
    return one.kind, [found.checkpoint for found in open_heads(one)]


def test_flips_behind_a_witness_line_change_nothing() -> None:
    """A witness's line in a head is no part of the case: whatever stands there, the log's own signatures convict."""
    one = conviction(SAME_SIZE)
    cosigned = head(leaves("a", 5), LOG, LOG_PQ_KEY, WITNESSES[0])
    line = NoteSignature(WITNESSES[0].name, WITNESSES[0].vkey.key_id, bytes(72))
    note = parse_note(cosigned)
    for changed in (cosigned, format_note(replace(note, signatures=(*note.signatures[:2], line)))):
        found = parse_conviction(format_conviction(replace(one, first=changed)))
        check_conviction(found)
        assert meaning(found) == meaning(one)


@pytest.mark.parametrize("kind", KINDS)
def test_one_spelling(kind: str) -> None:
    """Lines exchanged, doubled, spaced otherwise, or missing: not a conviction."""
    data = format_conviction(conviction(kind))
    front, _, heads = data.partition(b"\n\n")
    lines = front.split(b"\n")
    wrong = [
        data + b"\n", b"\n" + data, data[:-1], data.replace(b"\n", b"\r\n"), data.replace(b"kind ", b"kind  ", 1),
        data.replace(b"kind " + kind.encode(), b"kind another", 1), front + b"\n\n\n" + heads, heads,
        data.replace(b"key ", b"Key ", 1), front, data + heads, b"\n\n".join([front, heads.split(b"\n\n", 2)[0]]),
        data.replace(b"@v1\n", b"@v01\n", 1),
    ]  # fmt: skip
    for at in range(1, len(lines)):
        wrong.append(b"\n".join([*lines[:at], *lines[at + 1 :]]) + b"\n\n" + heads) if at in (1, 4) else None
        wrong.append(b"\n".join([*lines[: at + 1], lines[at], *lines[at + 1 :]]) + b"\n\n" + heads) if at < 4 else None
    wrong.append(b"\n".join([lines[0], *lines[2:4], lines[1], *lines[4:]]) + b"\n\n" + heads)
    for one in wrong:
        if one == b"\n".join(lines) + b"\n\n" + heads:
            continue
        with pytest.raises(FormatError):
            parse_conviction(one)


def test_another_kind_is_another_claim() -> None:
    """A proof stands where it is needed and nowhere else, and a kind that does not hold is refused."""
    for kind in KINDS:
        for other in set(KINDS) - {kind}:
            changed = replace(conviction(kind), kind=other)
            assert refused(changed) in ("conviction-agrees", "conviction-proof")
            if OTHER_HISTORY in (kind, other):
                with pytest.raises(FormatError):
                    format_conviction(changed)


def test_newer_formats_and_sizes() -> None:
    """A later version and a key of a later type are said to be that; what is too large is not read."""
    data = format_conviction(conviction(SAME_SIZE))
    for magic in (b"bening/conviction@v2", b"bening/conviction@v1.1"):
        with pytest.raises(NewerFormatError):
            parse_conviction(data.replace(MAGIC.encode(), magic, 1))
    with pytest.raises(FormatError) as caught:
        parse_conviction(data + b"x" * MAX_CONVICTION)
    assert caught.value.code == "too-long"
    assert 2 * MAX_NOTE < MAX_CONVICTION


@pytest.mark.parametrize(
    "wrong",
    [
        {"keys": ()}, {"keys": KEYS[:1] * 2}, {"kind": "rumour"}, {"proof": (b"x" * 32,)}, {"first": b""}, {"second": b"note"},
        {"keys": tuple(make_vkey(ORIGIN, 1, bytes([one]) * 32) for one in range(9))}, {"first": b"a\n\nb\n\nc\n"},
        {"kind": OTHER_HISTORY, "proof": (b"x" * 31,)}, {"kind": OTHER_HISTORY, "proof": (b"x" * 32,) * 65},
    ],
)  # fmt: skip
def test_only_what_can_be_read_is_written(wrong: dict[str, object]) -> None:
    """What no reader would take is refused before it is handed out."""
    with pytest.raises(LedgerError):
        format_conviction(replace(conviction(SAME_SIZE), **wrong))  # type: ignore[arg-type]


# -- honest logs


def test_no_honest_log_is_convicted() -> None:
    """Whatever roots and proofs an accuser puts between any two heads of logs that only grew, nothing convicts."""
    rng = random.Random(11)
    for _ in range(25):
        size, hashes, heads, time = 0, leaves("honest", 40), list[tuple[int, bytes]](), TIME
        while size < 40 and len(heads) < 6:
            size, time = min(40, size + rng.randrange(1, 12)), time + rng.randrange(3)
            heads.append((size, head(hashes[:size], time=time)))
        known = [*hashes, *(root_hash(hashes[:at]) for at, _ in heads), root_hash(leaves("other", 7)), b"\0" * 32]
        for old, first in heads:
            for new, second in heads:
                for proof in accusations(rng, hashes, old, new, known):
                    for kind in KINDS:
                        refused(Conviction(kind, KEYS, proof, first, second))


def accusations(rng: random.Random, hashes: list[bytes], old: int, new: int, known: list[bytes]) -> list[tuple[bytes, ...]]:
    """Return proofs that an accuser might try between two sizes: none, true ones, changed and invented ones."""
    found: list[tuple[bytes, ...]] = [(), (rng.choice(known),)]
    if old <= new:
        true = growth(hashes[:new], old)
        found += [true, true[::-1], (rng.choice(known), *true[1:]), (*true, rng.choice(known)), true[:-1]]
        at = rng.randrange(len(true))
        found += [(*true[:at], rng.choice(known), *true[at + 1 :]), (*true[:at], *true[at + 1 :])]
        found += [growth(leaves("lie", new, shared=old), old), growth(leaves("lie", new, shared=0), old)]
        found += [tuple(rng.choice(known) for _ in true) for _ in range(2)]
        if len(true) > 1 and old > 1:
            found.append((*growth(hashes[:new], old - 1)[:1], *true[1:]))
    return found


def test_what_is_exported() -> None:
    """Every exported name is there."""
    assert all(hasattr(convictions, name) for name in convictions.__all__)
