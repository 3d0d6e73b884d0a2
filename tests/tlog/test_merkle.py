from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import FormatError, ProofError
from ledger.tlog.merkle import (
    EMPTY_ROOT,
    Frontier,
    check_consistency,
    check_inclusion,
    consistency_nodes,
    inclusion_nodes,
    leaf_hash,
    node_hash,
    prove_consistency,
    prove_inclusion,
    root_hash,
)
from tests.tlog.logs import MemoryLog, flip, vectors

SIZES = 65
TREE = MemoryLog(SIZES)


# The text of RFC 6962, section 2.1, word by word: slow, and plainly right.


def split(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def mth(d: list[bytes]) -> bytes:
    if not d:
        return hashlib.sha256(b"").digest()
    if len(d) == 1:
        return d[0]
    k = split(len(d))
    return hashlib.sha256(b"\x01" + mth(d[:k]) + mth(d[k:])).digest()


def path(m: int, d: list[bytes]) -> list[bytes]:
    if len(d) == 1:
        return []
    k = split(len(d))
    return [*path(m, d[:k]), mth(d[k:])] if m < k else [*path(m - k, d[k:]), mth(d[:k])]


def subproof(m: int, d: list[bytes], b: bool) -> list[bytes]:
    if m == len(d):
        return [] if b else [mth(d)]
    k = split(len(d))
    return [*subproof(m, d[:k], b), mth(d[k:])] if m <= k else [*subproof(m - k, d[k:], False), mth(d[:k])]


ROOTS = [mth(TREE.leaves[:size]) for size in range(SIZES + 1)]


def test_known_hashes() -> None:
    """The roots are those of the trees that the Certificate Transparency project has published as examples."""
    inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    leaves = [leaf_hash(bytes.fromhex(one)) for one in inputs]
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert leaves[0].hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert root_hash(leaves).hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


def test_roots_are_those_of_the_definition() -> None:
    """``root_hash`` and a frontier extended leaf by leaf agree with the recursive definition at every size."""
    frontier = Frontier.empty()
    for size in range(SIZES + 1):
        assert root_hash(TREE.leaves[:size]) == frontier.root() == ROOTS[size]
        assert Frontier.from_bytes(size, frontier.to_bytes()) == frontier
        if size < SIZES:
            frontier = frontier.extend([TREE.leaves[size]])


@given(st.integers(0, SIZES), st.integers(0, SIZES))
def test_frontier_grows_in_any_steps(first: int, second: int) -> None:
    """It does not matter in how many batches a tree has grown."""
    old, new = sorted((first, second))
    grown = Frontier.empty().extend(TREE.leaves[:old]).extend(TREE.leaves[old:new])
    assert grown == Frontier.empty().extend(TREE.leaves[:new])
    assert grown.root() == ROOTS[new]


@pytest.mark.parametrize(
    ("size", "data"), [(-1, b""), (0, b"\0" * 32), (1, b""), (1, b"\0" * 31), (3, b"\0" * 32), (4, b"\0" * 64)]
)
def test_frontier_of_another_size_is_refused(size: int, data: bytes) -> None:
    """Stored hashes that no tree of that size has are refused."""
    with pytest.raises(FormatError) as caught:
        Frontier.from_bytes(size, data)
    assert caught.value.code == "bad-frontier"


def test_every_inclusion_proof() -> None:
    """For every leaf of every tree up to the size: the proof is the RFC's, and is accepted."""
    for size in range(1, SIZES + 1):
        for index in range(size):
            proof = prove_inclusion(index, size, TREE.read)
            assert proof == path(index, TREE.leaves[:size])
            check_inclusion(proof, index=index, size=size, leaf=TREE.leaves[index], root=ROOTS[size])


def test_every_consistency_proof() -> None:
    """For every pair of sizes: the proof is the RFC's, and is accepted; from size 0 it is empty."""
    for new in range(SIZES + 1):
        for old in range(new + 1):
            proof = prove_consistency(old, new, TREE.read)
            assert proof == (subproof(old, TREE.leaves[:new], True) if old else [])
            check_consistency(proof, old_size=old, new_size=new, old_root=ROOTS[old], new_root=ROOTS[new])


def test_proofs_need_only_complete_subtrees() -> None:
    """The nodes named are inside the tree, each once, and are what ``read`` is asked for."""
    for size in range(1, SIZES + 1):
        for nodes in (proof(at, size) for at in range(size) for proof in (inclusion_nodes, consistency_nodes)):
            assert len(set(nodes)) == len(nodes)
            assert all((index + 1) << level <= size for level, index in nodes)


def refused_inclusion(proof: list[bytes], **values: Any) -> str:
    with pytest.raises(ProofError) as caught:
        check_inclusion(proof, **values)
    return caught.value.code


def refused_consistency(proof: list[bytes], **values: Any) -> str:
    with pytest.raises(ProofError) as caught:
        check_consistency(proof, **values)
    return caught.value.code


@pytest.mark.parametrize(("index", "size"), [(0, 1), (0, 2), (6, 7), (3, 8), (8, 9), (40, 65), (64, 65)])
def test_mutated_inclusion_is_refused(index: int, size: int) -> None:
    """A flipped bit anywhere, a hash too many, too few or out of order, another leaf, index or root: all are refused."""
    proof = prove_inclusion(index, size, TREE.read)
    true: dict[str, Any] = {"index": index, "size": size, "leaf": TREE.leaves[index], "root": ROOTS[size]}
    for at in range(len(proof)):
        for bit in range(256):
            wrong = [*proof[:at], flip(proof[at], bit // 8, bit % 8), *proof[at + 1 :]]
            assert refused_inclusion(wrong, **true) == "inclusion"
        assert refused_inclusion(proof[:at] + proof[at + 1 :], **true) == "proof-length"
        assert refused_inclusion([*proof[:at], proof[at][:31], *proof[at + 1 :]], **true) == "proof-length"
        assert refused_inclusion([*proof[:at], proof[at] + b"\0", *proof[at + 1 :]], **true) == "proof-length"
    for extra in (b"\0" * 32, ROOTS[size], TREE.leaves[index]):
        assert refused_inclusion([*proof, extra], **true) == "proof-length"
        assert refused_inclusion([extra, *proof], **true) == "proof-length"
    if len(proof) > 1:
        assert refused_inclusion(proof[::-1], **true) == "inclusion"
    for bit in range(256):
        assert refused_inclusion(proof, **{**true, "leaf": flip(true["leaf"], bit // 8, bit % 8)}) == "inclusion"
        assert refused_inclusion(proof, **{**true, "root": flip(true["root"], bit // 8, bit % 8)}) == "inclusion"
    for wrong_index in {*range(size + 2), -1, 2**64} - {index}:
        refused_inclusion(proof, **{**true, "index": wrong_index})
    assert refused_inclusion(proof, **{**true, "leaf": b""}) == "proof-length"
    assert refused_inclusion(proof, **{**true, "root": b""}) == "proof-length"


@pytest.mark.parametrize(("old", "new"), [(1, 2), (3, 7), (4, 7), (6, 8), (7, 8), (33, 65), (64, 65)])
def test_mutated_consistency_is_refused(old: int, new: int) -> None:
    """A flipped bit anywhere, a hash too many, too few or out of order, another size or root: all are refused."""
    proof = prove_consistency(old, new, TREE.read)
    true: dict[str, Any] = {"old_size": old, "new_size": new, "old_root": ROOTS[old], "new_root": ROOTS[new]}
    for at in range(len(proof)):
        for bit in range(256):
            wrong = [*proof[:at], flip(proof[at], bit // 8, bit % 8), *proof[at + 1 :]]
            assert refused_consistency(wrong, **true) == "consistency"
        assert refused_consistency(proof[:at] + proof[at + 1 :], **true) == "proof-length"
    for extra in (b"\0" * 32, ROOTS[old]):
        assert refused_consistency([*proof, extra], **true) == "proof-length"
        assert refused_consistency([extra, *proof], **true) == "proof-length"
    if len(proof) > 1:
        assert refused_consistency(proof[::-1], **true) == "consistency"
    for which in ("old_root", "new_root"):
        for bit in range(256):
            assert refused_consistency(proof, **{**true, which: flip(true[which], bit // 8, bit % 8)}) == "consistency"
        assert refused_consistency(proof, **{**true, which: b"\0" * 31}) == "proof-length"
    refused_consistency(proof, **{**true, "old_size": old - 1 or 2})
    refused_consistency(proof, **{**true, "old_size": new, "new_size": old})
    assert refused_consistency(proof, **{**true, "old_size": -1}) == "bad-sizes"


def test_a_rewritten_history_has_no_proof() -> None:
    """A tree in which one old leaf was replaced is not consistent with the old tree, whatever leaf it was."""
    for changed in range(7):
        leaves = [*TREE.leaves[:changed], leaf_hash(b"forged"), *TREE.leaves[changed + 1 :]]
        proof = subproof(7, leaves[:20], True)
        code = refused_consistency(proof, old_size=7, new_size=20, old_root=ROOTS[7], new_root=mth(leaves[:20]))
        assert code == "consistency"


def test_the_empty_tree() -> None:
    """Nothing is in it; it is consistent with every tree by an empty proof, and has one root."""
    assert refused_inclusion([], index=0, size=0, leaf=TREE.leaves[0], root=EMPTY_ROOT) == "bad-index"
    check_consistency([], old_size=0, new_size=9, old_root=EMPTY_ROOT, new_root=ROOTS[9])
    sizes: dict[str, Any] = {"old_size": 0, "new_size": 9, "new_root": ROOTS[9]}
    assert refused_consistency([ROOTS[1]], old_root=EMPTY_ROOT, **sizes) == "proof-length"
    assert refused_consistency([], old_root=ROOTS[1], **sizes) == "consistency"
    assert refused_consistency([], old_size=0, new_size=0, old_root=EMPTY_ROOT, new_root=ROOTS[1]) == "consistency"


def test_two_roots_of_one_size() -> None:
    """Two different roots of the same size are named as what they are."""
    sizes: dict[str, Any] = {"old_size": 7, "new_size": 7, "old_root": ROOTS[7]}
    check_consistency([], new_root=ROOTS[7], **sizes)
    assert refused_consistency([], new_root=ROOTS[6], **sizes) == "two-roots"


@pytest.mark.parametrize("count", [0, 4, 6])  # 5 are asked for
def test_a_reader_that_gives_another_count_is_refused(count: int) -> None:
    """Neither too few nor too many hashes from ``read`` become a proof or a foreign exception."""
    with pytest.raises(ProofError) as caught:
        prove_inclusion(3, 11, lambda _nodes: [b"\0" * 32] * count)
    assert caught.value.code == "proof-length"


@settings(max_examples=60)
@given(st.integers(1, 2**63 - 1).flatmap(lambda size: st.tuples(st.integers(0, size - 1), st.just(size))))
def test_huge_trees(place: tuple[int, int]) -> None:
    """In a tree of equal subtrees too large to build, proofs hold, and have at most 63 hashes."""
    index, size = place
    perfect = [leaf_hash(b"same")]
    for level in range(63):
        perfect.append(node_hash(perfect[level], perfect[level]))
    hashes = tuple(perfect[level] for level in range(62, -1, -1) if size >> level & 1)
    root = Frontier(size, hashes).root()
    proof = prove_inclusion(index, size, lambda nodes: [perfect[level] for level, _ in nodes])
    assert len(proof) <= 63
    check_inclusion(proof, index=index, size=size, leaf=perfect[0], root=root)
    old = Frontier(index, tuple(perfect[level] for level in range(62, -1, -1) if index >> level & 1)).root()
    growth = prove_consistency(index, size, lambda nodes: [perfect[level] for level, _ in nodes])
    check_consistency(growth, old_size=index, new_size=size, old_root=old, new_root=root)


def hashes_of(listed: list[str] | None) -> list[bytes]:
    return [base64.b64decode(one) for one in listed or []]


def test_foreign_inclusion_vectors() -> None:
    """The cases of transparency-dev/merkle are judged as there, indexes up to 2**64-1 included."""
    cases = vectors("rfc6962-inclusion.json")
    assert any(case["wantErr"] for case in cases)
    assert any(not case["wantErr"] for case in cases)
    for case in cases:
        values: dict[str, Any] = {"index": case["leafIdx"], "size": case["treeSize"]}
        values |= {"leaf": base64.b64decode(case["leafHash"] or ""), "root": base64.b64decode(case["root"] or "")}
        if case["wantErr"]:
            refused_inclusion(hashes_of(case["proof"]), **values)
        else:
            check_inclusion(hashes_of(case["proof"]), **values)


def test_foreign_consistency_vectors() -> None:
    """The cases of transparency-dev/merkle are judged as there."""
    cases = vectors("rfc6962-consistency.json")
    assert any(case["wantErr"] for case in cases)
    assert any(not case["wantErr"] for case in cases)
    for case in cases:
        values: dict[str, Any] = {"old_size": case["size1"], "new_size": case["size2"]}
        values |= {"old_root": base64.b64decode(case["root1"] or ""), "new_root": base64.b64decode(case["root2"] or "")}
        if case["wantErr"]:
            refused_consistency(hashes_of(case["proof"]), **values)
        else:
            check_consistency(hashes_of(case["proof"]), **values)
