"""The answers to a submission: status, headers and JSON, as the OpenAPI document describes them."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ledger.errors import Reason
from ledger.words import say, say_reason
from web.front.publishing import Fate

__all__ = ["Answer", "dump", "outcome", "patience", "refusal"]

PATIENCE = 10.0
_KNOWN = 0.1  # what it costs to send again what stands already
_UNSIGNED = {"bad-signature", "key-not-enrolled", "signer-is-not-authority", "too-few-authority-signatures"}


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers and JSON value of an answer; ``cost``: what it takes of the patience with its sender."""

    status: int
    value: dict[str, Any]
    headers: tuple[tuple[str, str], ...] = ()
    cost: float = 0.0


def refusal(acts: Sequence[dict[str, Any]], refused: Sequence[Sequence[Reason]], lang: str) -> Answer:
    """Nothing of a request is taken when one of its acts is refused before the inbox; the others may be sent again."""
    told = [
        {**act, "state": "refused" if reasons else "not-taken", "reasons": _told(reasons, lang)}
        for act, reasons in zip(acts, refused, strict=True)
    ]
    codes = {one.code for reasons in refused for one in reasons}
    return Answer(422, _sentence("admission", lang) | {"acts": told}, cost=float(bool(codes & _UNSIGNED)))


def outcome(acts: Sequence[dict[str, Any]], fates: Sequence[asyncio.Future[Fate]], lang: str) -> Answer:
    """Tell what became of each act once it was kept: published with its proof, refused, or still waiting."""
    told = [_outcome(act, fate, lang) for act, fate in zip(acts, fates, strict=True)]
    states = {one["state"] for one in told}
    if "refused" in states:
        return Answer(422, _sentence("admission", lang) | {"acts": told})
    if "waiting" in states:
        first = next(one["status"] for one in told if one["state"] == "waiting")
        return Answer(202, {"acts": told}, (("Location", first), ("Retry-After", "2")))
    known = all(one["already"] for one in told)
    return Answer(201, {"acts": told}, (("Location", f"/api/v1/records/{told[0]['index']}"),), cost=_KNOWN if known else 0.0)


def _outcome(act: dict[str, Any], future: asyncio.Future[Fate], lang: str) -> dict[str, Any]:
    if not future.done():
        return {**act, "state": "waiting", "status": f"/api/v1/acts/{act['id']}"}
    fate = future.result()  # raises what kept it from being published
    if fate.reasons:
        return {**act, "state": "refused", "reasons": _told(fate.reasons, lang)}
    proof = (fate.proof or b"").decode("utf-8")
    return {**act, "index": fate.index, "state": "published", "already": fate.already, "proof": proof}


def _told(reasons: Any, lang: str) -> list[dict[str, str]]:
    return [{"code": one.code, "path": one.path, "sentence": say_reason(one, lang)} for one in reasons]


def _sentence(code: str, lang: str) -> dict[str, Any]:
    return {"error": code, "sentence": say(f"error.{code}", lang), "detail": "", "reasons": []}


def patience(prefer: str) -> float:
    """Return how many seconds to wait for publication: ``Prefer: wait=N`` or ``respond-async`` (RFC 7240)."""
    if "respond-async" in prefer:
        return 0.0
    found = re.search(r"wait=([0-9]{1,3})", prefer, re.ASCII)
    return min(30.0, float(found[1])) if found else PATIENCE


def dump(value: dict[str, Any]) -> bytes:
    """Return the JSON bytes of an answer."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8")

