"""Who stands behind the witnesses of a policy: an organisation with two keys is one voice, and the log's own key is none.

Keys of one name belong to one organisation (C2SP signed-note: the name is the organisation's). A policy names them together as a
group ``any``, whose name is then the organisation's; a witness with a key of its own name stands for itself.
"""

from __future__ import annotations

from collections.abc import Mapping

from ledger.tlog.policy import LOG_PQ, Group, Policy

__all__ = ["co_recorded", "organisations"]


def organisations(policy: Policy) -> dict[str, tuple[str, ...]]:
    """Return the organisations of a policy by name, in its order, each with its witnesses' names there."""
    found: dict[str, tuple[str, ...]] = {}
    one_voice = {name: group.members for name, group in policy.groups.items() if _is_one(policy, group)}
    together = {member: (name, members) for name, members in one_voice.items() for member in members}
    for witness in policy.witnesses:
        if witness != LOG_PQ:
            name, members = together.get(witness, (witness, (witness,)))
            found[name] = members
    return found


def co_recorded(policy: Policy, cosigned: Mapping[str, int | None]) -> dict[str, int | None]:
    """Return the organisations that have cosigned, with the earliest time (POSIX seconds) that one of their keys states."""
    found: dict[str, int | None] = {}
    for name, members in organisations(policy).items():
        times = [cosigned[member] for member in members if member in cosigned]
        if times:
            found[name] = min((time for time in times if time is not None), default=None)
    return found


def _is_one(policy: Policy, group: Group) -> bool:
    """Tell whether a group is one organisation's keys: any of them, and all of one name."""
    if LOG_PQ in group.members:
        return False
    keys = [witness.key for member in group.members if (witness := policy.witnesses.get(member)) is not None]
    names = {None if key is None else key.name for key in keys}
    return group.needed == 1 and len(keys) == len(group.members) > 1 and len(names) == 1 and None not in names
