"""Whether one policy asks for less than another: C2SP tlog-policy quorums, compared by keys, as names may change."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations

from ledger.tlog.note import format_vkey
from ledger.tlog.policy import LOG_PQ, Policy

__all__ = ["needs_post_quantum", "weaker"]

_EXACT = 12  # all sets of so many cosigners are looked at; beyond, the witnesses must stay the same and the least count not fall


def weaker(pinned: Policy, offered: Policy, *, given: frozenset[str] = frozenset()) -> bool:
    """Tell whether ``offered`` lacks a witness of ``pinned``, or accepts a checkpoint that ``pinned`` would not.

    ``given`` are witnesses (``log-pq``) that count as having cosigned, for a policy that is not meant to name them.
    """
    before, after = set(_ids(pinned).values()), set(_ids(offered).values())
    if before - after - given:
        return True
    asked = sorted(after - given)
    if len(asked) > _EXACT:
        return after - given != before - given or _least(offered, offered.quorum) < _least(pinned, pinned.quorum)
    return any(
        _holds(offered, given.union(some)) and not _holds(pinned, given.union(some))
        for count in range(len(asked) + 1)
        for some in combinations(asked, count)
    )


def needs_post_quantum(policy: Policy) -> bool:
    """Tell whether no checkpoint is good by ``policy`` without the log's post-quantum signature."""
    return LOG_PQ in policy.witnesses and not _holds(policy, set(_ids(policy).values()) - {LOG_PQ})


def _ids(policy: Policy) -> dict[str, str]:
    """Return what each witness is known by, whatever this policy calls it; the log's own second key may be rotated."""
    return {
        name: name if name == LOG_PQ or one.key is None else format_vkey(one.key).split("+", 2)[2]
        for name, one in policy.witnesses.items()
    }


def _holds(policy: Policy, cosigned: Iterable[str]) -> bool:
    some = frozenset(cosigned)
    witnessed = {name for name, one in _ids(policy).items() if one in some}
    for name, group in policy.groups.items():
        if sum(member in witnessed for member in group.members) >= group.needed:
            witnessed.add(name)
    return policy.quorum is None or policy.quorum in witnessed


def _least(policy: Policy, name: str | None) -> int:
    """Return how many witnesses suffice for ``name``; the log's own key is none."""
    if name is None or name == LOG_PQ:
        return 0
    group = policy.groups.get(name)
    return 1 if group is None else sum(sorted(_least(policy, member) for member in group.members)[: group.needed])
