"""What a site answers, read as anything from outside is: shape first, then its meaning; and refusals as our own errors.

    200 201 202          the value asked for
    422                  AdmissionError, with every reason as the site tells it
    429 503              StoreError: it takes nothing just now
    404                  FetchError: there is no such interface, as on a plain copy of the published files
    anything else        FetchError, or for something sent AdmissionError, with the site's own sentence

Sentences that come along are shown as one line of text, in the site's words; everything else is judged here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ledger.errors import AdmissionError, FetchError, FormatError, LedgerError, Reason, StoreError
from ledger.records.record import Record, parse_record
from ledger.records.replay import Act, act_of
from ledger.records.shapes import timestamp
from ledger.remote.client import Client, Query, Reply
from ledger.tlog.encoding import parse_base64

__all__ = ["Told", "acts_told", "ask", "fate_told", "found_acts", "refusal"]

_STATES = ("published", "integrated", "waiting", "refused", "not-taken", "unknown")
_CODE = re.compile(r"[a-z0-9][a-z0-9-]{0,79}", re.ASCII)
_MOST_INDEX = 2**53
_MOST_REASONS = 1000


@dataclass(frozen=True, slots=True)
class Told:
    """What a site says of one act, nothing of it proven; ``proof`` is the text of a proof."""

    id: str
    state: str
    index: int | None = None
    already: bool = False
    proof: bytes | None = None
    reasons: tuple[Reason, ...] = ()


def ask(client: Client, path: str, query: Query = ()) -> Any:
    """Return the JSON value of ``GET /api/v1/<path>``.

    Raises:
        FetchError, StoreError: there is none.
    """
    reply = client.get(f"api/v1/{path}", query)
    if reply.status != 200:
        raise refusal(client, reply)
    return value_of(client, reply)


def acts_told(client: Client, reply: Reply, ids: Sequence[str]) -> list[Told]:
    """Return what the answer to a submission says of each of the acts ``ids``, in their order.

    Raises:
        AdmissionError: the whole submission was refused.
        FetchError, StoreError: it was not taken, or the answer cannot be read or speaks of other acts.
    """
    value = value_of(client, reply) if reply.status in (200, 201, 202, 422) else None
    acts = value.get("acts") if isinstance(value, dict) else None
    if acts is None:
        raise refusal(client, reply, sent=True)
    if not isinstance(acts, list) or len(acts) != len(ids):
        raise nonsense(client, "acts")
    told = [_told(client, one) for one in acts]
    if [one.id for one in told] != list(ids):
        raise nonsense(client, "other acts than those that were sent")
    return told


def fate_told(client: Client, act_id: str) -> Told:
    """Return what the site says has become of an act or roster event; ``unknown`` where it knows none of that id."""
    reply = client.get(f"api/v1/acts/{act_id}")
    if reply.status == 404 and _json_or_none(reply) is not None:
        return Told(act_id, "unknown")
    if reply.status != 200:
        raise refusal(client, reply)
    told = _told(client, value_of(client, reply))
    if told.id != act_id:
        raise nonsense(client, "another act than the one asked for")
    return told


def found_acts(client: Client, value: Any, keys: Query) -> dict[tuple[str, str], list[tuple[Act, Record]]]:
    """Return the acts that ``GET /find`` has found under each of ``keys``, oldest first; ids are those of the bytes.

    Raises:
        FetchError: it cannot be read, or an act is none that was asked for.
        NewerFormatError: an act of a later version.
    """
    acts = value.get("acts") if isinstance(value, dict) else None
    if not isinstance(acts, dict):
        raise nonsense(client, "acts")
    found = {}
    for name, asked in keys:
        rows = acts.get(f"{name}={asked}", [])
        if not isinstance(rows, list):
            raise nonsense(client, f"{name}={asked}"[:80])
        found[name, asked] = sorted((_act(client, row) for row in rows), key=lambda one: one[0].index)
    return found


def refusal(client: Client, reply: Reply, *, sent: bool = False) -> LedgerError:
    """Return the error that an answer means; ``sent``: it answers something that was to be taken."""
    value = _json_or_none(reply)
    said = value if isinstance(value, dict) else {}
    reasons = _reasons(said.get("reasons"))
    if reply.status in (429, 503):
        seconds = round(reply.retry_after() or 0)
        return StoreError(f"HTTP {reply.status}", code="site-busy", where=client.url, seconds=seconds, said=_sentence(said))
    if reply.status == 422 and reasons:
        return AdmissionError(reasons)
    if reply.status in (404, 405) and not said:
        return FetchError(f"HTTP {reply.status}", code="no-api", where=client.url)
    if sent and 400 <= reply.status < 500 and said:
        return AdmissionError(reasons or [Reason(_code(said.get("error")), "", {"sentence": _sentence(said)})])
    values: dict[str, object] = {"where": client.url, "status": reply.status, "said": _sentence(said)}
    return FetchError(f"HTTP {reply.status}", code="site-says", told=_code(said.get("error")), **values)


def value_of(client: Client, reply: Reply) -> Any:
    """Return the JSON value of a body.

    Raises:
        FetchError: ``site-nonsense``: it is none.
    """
    import orjson

    try:
        return orjson.loads(reply.body)
    except orjson.JSONDecodeError as error:
        raise nonsense(client, str(error)[:80]) from None


def nonsense(client: Client, problem: str) -> FetchError:
    """Return the error of an answer that means nothing here; nobody's evidence."""
    return FetchError(f"{client.url}: {problem}", code="site-nonsense", where=client.url, problem=problem)


def _json_or_none(reply: Reply) -> Any:
    import orjson

    try:
        return orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        return None


def _told(client: Client, row: Any) -> Told:
    if not isinstance(row, dict) or not isinstance(row.get("id"), str) or row.get("state") not in _STATES:
        raise nonsense(client, "an act without id or state")
    proof, index = row.get("proof"), row.get("index")
    if not isinstance(proof, (str, type(None))) or not (index is None or _is_index(index)):
        raise nonsense(client, "an act without index or proof")
    told = Told(
        row["id"], row["state"], index, row.get("already") is True,
        None if proof is None else proof.encode("utf-8", "surrogatepass"), tuple(_reasons(row.get("reasons"))),
    )  # fmt: skip
    if told.state == "refused" and not told.reasons:
        raise nonsense(client, "a refusal without reasons")
    return told


def _act(client: Client, row: Any) -> tuple[Act, Record]:
    if not isinstance(row, dict) or not _is_index(row.get("index")) or not isinstance(row.get("payload"), str):
        raise nonsense(client, "an act without index or payload")
    if any(timestamp(row.get("time"), "time")):
        raise nonsense(client, "an act without time")
    try:
        record = parse_record(parse_base64(row["payload"]))
    except (FormatError, AdmissionError) as error:
        raise nonsense(client, f"a record: {error}"[:80]) from None
    if row.get("id") != record.id:
        raise nonsense(client, "an id that is not the payload's")
    return act_of(record, index=row["index"], time=row["time"]), record


def _is_index(value: object) -> bool:
    return type(value) is int and 0 <= value < _MOST_INDEX


def _reasons(rows: Any) -> list[Reason]:
    """Return reasons that carry the site's own sentences: their values stayed there."""
    if not isinstance(rows, list):
        return []
    return [
        Reason(_code(row.get("code")), _text(row.get("path"), 200), {"sentence": _sentence(row)})
        for row in rows[:_MOST_REASONS] if isinstance(row, dict)
    ]  # fmt: skip


def _code(value: Any) -> str:
    return value if isinstance(value, str) and _CODE.fullmatch(value) else "refused-elsewhere"


def _sentence(row: Any) -> str:
    return _text(row.get("sentence"), 2000) or _text(row.get("code"), 80) or "…"


def _text(value: Any, limit: int) -> str:
    return value[:limit] if isinstance(value, str) else ""
