"""A first judgement, before any document is taken and anything is kept: the one replay, against what is published.

What could still change before the sequencer judges, because acts that wait may stand before this one, is left to it: an
act that is named and not there yet, and a roster event behind another one.
"""

from __future__ import annotations

from collections.abc import Sequence

from ledger.errors import AdmissionError, Reason
from ledger.records.envelope import Envelope
from ledger.records.events import ROSTER_TYPE
from ledger.records.record import Record
from ledger.records.replay import judge
from web.site import Reading, Site

__all__ = ["judge_early"]

_LEFT_OPEN = {"unknown-target"}


def judge_early(
    site: Site, envelopes: Sequence[Envelope], records: Sequence[Record | None], time: str
) -> tuple[list[list[Reason]], dict[str, int]]:
    """Return the reasons against each envelope at ``time``, and the documents (size by hash) that are not here yet."""
    wanted: dict[str, int] = {}
    found: list[list[Reason]] = []
    with site.read() as reading:
        for n, (envelope, record) in enumerate(zip(envelopes, records, strict=True)):
            if _is_published(reading, envelope):
                found.append([])
                continue
            follows = envelope.payload_type == ROSTER_TYPE and any(one.payload_type == ROSTER_TYPE for one in envelopes[:n])
            found.append([] if follows else _judge(reading, envelope, time))
            wanted |= {one["sha256"]: one["size"] for one in (record.documents if record else ()) if not _is_here(site, one)}
    return found, wanted


def _judge(reading: Reading, envelope: Envelope, time: str) -> list[Reason]:
    try:
        reasons = judge(reading.roster, reading.acts, envelope, index=reading.size, time=time)
    except AdmissionError as error:
        return list(error.reasons)
    return [one for one in reasons if one.code not in _LEFT_OPEN]


def _is_published(reading: Reading, envelope: Envelope) -> bool:
    index = reading.store.index_of(envelope.id)
    return index is not None and index < reading.size


def _is_here(site: Site, document: dict[str, object]) -> bool:
    sha256 = str(document["sha256"])
    return any(place.is_file() for place in (site.home.staged(sha256), site.home.document(sha256)))
