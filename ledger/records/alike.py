"""Records alike: of what is the same in all that a roster decides, the roster is asked once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["Alike", "alike"]

Alike = tuple[str, ...]


def alike(signed_by: Sequence[str], data: dict[str, Any]) -> Alike | None:
    """Return all of a sound record on which a judgement without earlier acts depends; None where more may count.

    ``signed_by`` are the keyids of its signatures. Two records of one answer are judged alike by the same roster on the same
    date, if all their signatures hold, none of their documents is withdrawn, and neither their references nor their numbers
    were used before. Like no other are records of number books, those with relations, and those whose signatures are not
    their signers'. Tests hold this against ``judge``.
    """
    if data["kind"] == "void" or "series" in data or data["relations"]:
        return None
    signers = data["signers"]
    if signed_by != signers:
        return None
    return (data["founding"], data["office"], data["kind"], data["form"], *signers)
