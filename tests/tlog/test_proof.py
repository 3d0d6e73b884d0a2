from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import FormatError, LedgerError, NewerFormatError, PolicyError, ProofError, SignatureError
from ledger.tlog.checkpoint import format_checkpoint
from ledger.tlog.merkle import leaf_hash, prove_inclusion
from ledger.tlog.note import Note, format_note
from ledger.tlog.policy import format_policy, parse_policy
from ledger.tlog.proof import MAGIC, MAX_PROOF, Proof, check_proof, format_proof, parse_proof
from tests.tlog.logs import LOG, LOG_PQ_KEY, MemoryLog, entry, flip

TREE = MemoryLog(11)
NOTE = format_note(Note(format_checkpoint(TREE.checkpoint), (LOG.sign(TREE.checkpoint), LOG_PQ_KEY.sign(TREE.checkpoint))))
POLICY = parse_policy(format_policy(LOG.vkey, LOG_PQ_KEY.vkey, "ab" * 32))
HASH = "gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ="
PROOFS = st.builds(
    Proof,
    st.integers(0, 2**63 - 1),
    st.lists(st.binary(min_size=32, max_size=32), max_size=5).map(tuple),
    st.binary(max_size=100),
    st.none() | st.binary(max_size=60),
)


def proof(index: int) -> Proof:
    return Proof(index, tuple(prove_inclusion(index, TREE.size, TREE.read)), NOTE, entry(index))


def test_proofs_hold() -> None:
    """Each entry's proof is written, read back and accepted for its leaf, and for no other entry's."""
    for index in range(TREE.size):
        read = parse_proof(format_proof(proof(index)))
        assert read == proof(index)
        assert check_proof(read, POLICY, TREE.leaves[index]).checkpoint == TREE.checkpoint
        for other in range(TREE.size):
            if other != index:
                with pytest.raises(ProofError):
                    check_proof(read, POLICY, TREE.leaves[other])


def test_the_specification_s_example() -> None:
    """A proof laid out as in tlog-proof, with and without ``extra``, is read line by line."""
    checkpoint = "example.com/fancylog\n109482\nsFodV/vSp5O8n9a8QpW6PRY97tfOSW5bsc2Xl/EQi08=\n\n— example.com/fancylog hI2DJw==\n"
    for extra, expected in (("", None), ("extra YWdlLXYxLjIuMQ==\n", b"age-v1.2.1"), ("extra \n", b"")):
        text = f"{MAGIC}\n{extra}index 73894\n{HASH}\nB95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=\n\n{checkpoint}".encode()
        read = parse_proof(text)
        assert (read.index, len(read.hashes), read.extra, read.checkpoint) == (73_894, 2, expected, checkpoint.encode())
        assert format_proof(read) == text


@given(PROOFS)
def test_round_trip(one: Proof) -> None:
    """Every proof is read back from its bytes."""
    assert parse_proof(format_proof(one)) == one


@given(
    PROOFS, st.integers(0, 200), st.sampled_from(["", "\n", " ", "0", "A", "=", "\r", "\t", "extra ", "index "]), st.booleans()
)
def test_accepted_bytes_format_to_themselves(one: Proof, at: int, put: str, replaced: bool) -> None:
    """A proof with something put in, replaced or left out is refused, or is the one spelling of what was read."""
    data = format_proof(one)
    changed = data[:at] + put.encode() + data[at + replaced :]
    try:
        read = parse_proof(changed)
    except LedgerError:
        return
    assert format_proof(read) == changed


@pytest.mark.parametrize(
    "head",
    [
        "",
        "c2sp.org/tlog-proof",
        f"{MAGIC} \nindex 0",
        f"{MAGIC}\r\nindex 0",
        f"\n{MAGIC}\nindex 0",
        MAGIC,
        f"{MAGIC}\nextra AA==",
        f"{MAGIC}\nindex",
        f"{MAGIC}\nindex ",
        f"{MAGIC}\nindex 00",
        f"{MAGIC}\nindex -1",
        f"{MAGIC}\nindex 9223372036854775808",
        f"{MAGIC}\nindex  1",
        f"{MAGIC}\nindex 1 ",
        f"{MAGIC}\nindex ٤",
        f"{MAGIC}\nextra\nindex 0",
        f"{MAGIC}\nextra AB==\nindex 0",
        f"{MAGIC}\nextra AA== \nindex 0",
        f"{MAGIC}\nindex 0\nextra AA==",
        f"{MAGIC}\nextra AA==\nextra AA==\nindex 0",
        f"{MAGIC}\nindex 0\nindex 0",
        f"{MAGIC}\nindex 0\nAA==",
        f"{MAGIC}\nindex 0\n{HASH} ",
        f"{MAGIC}\nindex 0\n{HASH[:-1]}",
        f"{MAGIC}\nindex 0\n{HASH}\r",
        f"{MAGIC}\nindex 0\n" + "\n".join([HASH] * 64),
    ],
)
def test_refused_heads(head: str) -> None:
    """Anything but the lines of the specification, in their order and spelling, is refused; so are more than 63 hashes."""
    with pytest.raises(FormatError):
        parse_proof(f"{head}\n\n".encode() + NOTE)


def test_63_hashes() -> None:
    """63 hashes, the most that a tree can need, are read."""
    assert len(parse_proof(f"{MAGIC}\nindex 0\n{(HASH + chr(10)) * 63}\n".encode()).hashes) == 63


@pytest.mark.parametrize("magic", ["c2sp.org/tlog-proof@v2", "c2sp.org/tlog-proof@v1.1", "c2sp.org/tlog-proof@v10"])
def test_later_versions(magic: str) -> None:
    """A later version of the format is not judged, and not called false."""
    with pytest.raises(NewerFormatError):
        parse_proof(f"{magic}\nsomething else\n\n".encode() + NOTE)


def test_size() -> None:
    """A proof beyond the limit is refused unread, and not written."""
    with pytest.raises(FormatError) as caught:
        parse_proof(b"x" * (MAX_PROOF + 1))
    assert caught.value.code == "too-long"
    with pytest.raises(FormatError):
        format_proof(replace(proof(0), extra=b"x" * MAX_PROOF))


def test_the_largest_entry_fits() -> None:
    """An entry of 49,000 bytes fits beside a checkpoint of 16 signatures."""
    format_proof(replace(proof(0), extra=b"x" * 49_000, checkpoint=b"n" * 128 * 1024))


@pytest.mark.parametrize("wrong", [{"index": -1}, {"index": 2**63}, {"hashes": (b"x" * 31,)}, {"hashes": (b"x" * 32,) * 64}])
def test_only_what_can_be_read_is_written(wrong: dict[str, object]) -> None:
    """A proof that no reader would take is refused before it is handed out."""
    with pytest.raises(FormatError):
        format_proof(replace(proof(0), **wrong))  # type: ignore[arg-type]


def refused(one: Proof, leaf: bytes = TREE.leaves[4]) -> str:
    with pytest.raises(ProofError) as caught:
        check_proof(one, POLICY, leaf)
    return caught.value.code


def test_mutated_proofs() -> None:
    """Too long, too short, another index, flipped or swapped hashes, another leaf: refused, each for what it is."""
    true = proof(4)
    assert refused(replace(true, hashes=true.hashes[:-1])) == "proof-length"
    assert refused(replace(true, hashes=(*true.hashes, b"x" * 32))) == "proof-length"
    assert refused(replace(true, hashes=())) == "proof-length"
    assert refused(replace(true, hashes=true.hashes[::-1])) == "inclusion"
    assert refused(replace(true, index=5)) == "inclusion"
    assert refused(replace(true, index=10)) == "proof-length"
    assert refused(replace(true, index=11)) == "bad-index"
    assert refused(replace(true, index=2**63 - 1)) == "bad-index"
    assert refused(true, leaf_hash(b"forged")) == "inclusion"
    for at in range(len(true.hashes)):
        assert refused(replace(true, hashes=(*true.hashes[:at], flip(true.hashes[at], 7), *true.hashes[at + 1 :]))) == "inclusion"


def test_extra_is_nobody_s_word() -> None:
    """``extra`` proves nothing: with any other bytes in it the same leaf is accepted, and it is never hashed for the leaf."""
    check_proof(replace(proof(4), extra=b"anything"), POLICY, TREE.leaves[4])
    check_proof(replace(proof(4), extra=None), POLICY, TREE.leaves[4])
    assert refused(replace(proof(4), extra=b"forged"), leaf_hash(b"forged")) == "inclusion"


def test_the_policy_comes_first() -> None:
    """A checkpoint that the policy does not accept is refused for that, though the path would lead to its root."""
    text = format_checkpoint(TREE.checkpoint)
    half = format_note(Note(text, (LOG.sign(TREE.checkpoint),)))
    with pytest.raises(PolicyError):
        check_proof(replace(proof(4), checkpoint=half), POLICY, TREE.leaves[4])
    forged = replace(TREE.checkpoint, root=b"f" * 32)
    stolen = format_note(Note(format_checkpoint(forged), (LOG.sign(TREE.checkpoint), LOG_PQ_KEY.sign(TREE.checkpoint))))
    with pytest.raises(SignatureError):
        check_proof(replace(proof(4), checkpoint=stolen), POLICY, TREE.leaves[4])
    with pytest.raises(FormatError):
        check_proof(replace(proof(4), checkpoint=b""), POLICY, TREE.leaves[4])


def test_nothing_is_in_the_empty_tree() -> None:
    """A signed checkpoint of size 0 proves no entry."""
    empty = MemoryLog(0).checkpoint
    note = format_note(Note(format_checkpoint(empty), (LOG.sign(empty), LOG_PQ_KEY.sign(empty))))
    assert refused(Proof(0, (), note)) == "bad-index"


@given(st.binary(max_size=80))
def test_any_bytes(data: bytes) -> None:
    """Whatever is read as a proof, nothing but Bening's own errors comes out."""
    for candidate in (data, MAGIC.encode() + b"\n" + data + b"\n\n" + NOTE, format_proof(proof(4))[: len(data) * 3] + data):
        with contextlib.suppress(LedgerError):
            check_proof(parse_proof(candidate), POLICY, TREE.leaves[4])
