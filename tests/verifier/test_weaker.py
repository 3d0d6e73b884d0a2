"""``ledger.verifier.weaker``: a policy that asks for less is told from one that asks for as much."""

from __future__ import annotations

import pytest

from ledger.tlog.policy import LOG_PQ, Policy, Witness, format_policy, format_policy_ed25519, parse_policy
from ledger.verifier.weaker import needs_post_quantum, weaker
from tests.city import Keys, witness_vkey

_FOUNDING = "0" * 64


def policy(*names: str, k: int, seed: str = "log", post_quantum: bool = True, prefix: str = "") -> Policy:
    """The policy that a city publishes with ``k`` of these witnesses."""
    log, pq = Keys("bening.example/kota", seed).public
    witnesses = [Witness(prefix + name, witness_vkey(name), None) for name in names]
    if post_quantum:
        return parse_policy(format_policy(log, pq, _FOUNDING, witnesses, k))
    return parse_policy(format_policy_ed25519(log, _FOUNDING, witnesses, k))


MANY = tuple(f"saksi{number}" for number in range(14))


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (policy("a", "b", k=1), policy("a", "b", k=1), False),
        (policy("a", "b", k=1), policy("b", "a", k=2), False),
        (policy("a", "b", k=1), policy("a", "b", "c", k=2), False),
        (policy("a", k=1), policy("a", k=1, prefix="x-"), False),
        (policy("a", k=1), policy("a", k=1, seed="log2"), False),
        (policy("a", "b", k=2), policy("a", "b", k=1), True),
        (policy("a", "b", k=1), policy("a", "b", "c", k=1), True),
        (policy("a", "b", k=1), policy("a", k=1), True),
        (policy("a", k=1), policy(k=0), True),
        (policy("a", k=1), policy("a", k=1, post_quantum=False), True),
        (policy("a", k=1, post_quantum=False), policy("a", k=1), False),
        (policy(*MANY, k=9), policy(*MANY, k=9), False),
        (policy(*MANY, k=9), policy(*MANY, k=8), True),
        (policy(*MANY[1:], k=9), policy(*MANY, k=9), True),
    ],
)
def test_weaker(before: Policy, after: Policy, expected: bool) -> None:
    """Weaker is: a witness is gone, or a set of cosigners suffices that did not; names and the log's keys do not matter."""
    assert weaker(before, after) is expected


def test_for_readers_without_the_post_quantum_key() -> None:
    """The policy for other readers is held to the witnesses only."""
    given = frozenset({LOG_PQ})
    assert not weaker(policy("a", k=1), policy("a", k=1, post_quantum=False), given=given)
    assert weaker(policy("a", k=1), policy(k=0, post_quantum=False), given=given)


def test_needs_post_quantum() -> None:
    """A key that is listed and not asked for protects nobody."""
    log, pq = Keys("bening.example/kota", "log").public
    listed = format_policy(log, pq, _FOUNDING).replace(b"quorum quorum\n", b"quorum none\n")
    assert needs_post_quantum(policy("a", k=1))
    assert not needs_post_quantum(policy("a", k=1, post_quantum=False))
    assert not needs_post_quantum(parse_policy(listed))
