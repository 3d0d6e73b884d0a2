"""Bulk import: rows judged in order, as admission will judge them, before anything is sent.

A row ends as *to be published*, as *already published* (the same row before, in this file or in the ledger), or as
*refused* with every reason. Judging uses the one replay, over the acts of the ledger and those planned before in this run.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ledger.desk.conversion import Mapped, apply_map
from ledger.desk.documents import read_document
from ledger.desk.journal import Journal
from ledger.desk.mapping import Map, Spec
from ledger.desk.preview import Remark, warnings_about
from ledger.desk.sources import SourceRow
from ledger.errors import FormatError, LedgerError, Reason, UsageError
from ledger.index import SCHEMA, Index, KnownActs
from ledger.keyfile import PrivateKey
from ledger.records import canonical
from ledger.records.entry import local_date
from ledger.records.envelope import Envelope, add_signature
from ledger.records.record import MAX_RECORD, RECORD_TYPE, check_record, parse_record
from ledger.records.refs import draw_ref, parse_ref
from ledger.records.replay import Act, NumberKey, judge_record, number_key
from ledger.records.roster import Roster
from ledger.sqlite import driver

__all__ = ["Importer", "Planned", "row_ref"]


@dataclass(frozen=True, slots=True)
class Planned:
    """What is to become of a row: an ``envelope`` to submit, an act it ``already`` is, or ``reasons`` against it.

    ``files`` are documents by SHA-256: bytes of the row itself, or a path. ``line`` is the row's SHA-256, ``twin`` the
    number of the same row earlier in the file, ``act`` what the envelope will be.
    """

    row: SourceRow
    line: str
    envelope: Envelope | None = None
    files: Mapping[str, bytes | Path] = field(default_factory=dict)
    already: Act | None = None
    reasons: tuple[Reason, ...] = ()
    warnings: tuple[Remark, ...] = ()
    act: Act | None = None
    twin: int | None = None


def row_ref(founding: str, line: str) -> str:
    """Return the reference of a row: drawn from its hash, so that the same row always makes the same act."""
    counter = itertools.count()

    def bits(count: int) -> int:
        seed = f"bening import reference\n{founding}\n{line}\n{next(counter)}\n"
        return int.from_bytes(hashlib.sha256(seed.encode("ascii")).digest(), "big") >> (256 - count)

    return draw_ref(bits)


class Importer:
    """Plans the rows of one file, in their order, against a state of the ledger and what this run has planned so far."""

    def __init__(
        self,
        chart: Map,
        signers: Sequence[PrivateKey],
        journal: Journal,
        folder: Path,
        *,
        lang: str = "id",
    ) -> None:
        self.chart, self.signers, self.journal, self.folder = chart, tuple(signers), journal, folder
        self.lang = lang
        self.seen: dict[str, tuple[int, Act | None, tuple[Reason, ...]]] = {}
        self.roster, self.time = Roster(), ""
        self.acts = _Both(None, 0)

    def renew(self, roster: Roster, index: KnownActs, size: int, time: str) -> None:
        """Judge from here on against this state of the ledger, at ``time`` (UTC, as in entries)."""
        self.acts.close()
        self.roster, self.time = roster, time
        self.acts = _Both(index, size)

    def go_on(self, index: KnownActs) -> None:
        """Judge on against the same state, opened again, and what was planned so far."""
        self.acts.parts[0] = index

    def close(self) -> None:
        """Forget what was planned."""
        self.acts.close()

    def plan(self, row: SourceRow) -> Planned:
        """Return what is to become of ``row``, and remember it for the rows after it."""
        line = hashlib.sha256(row.document).hexdigest()
        earlier = self.seen.get(line)
        if earlier is not None:
            return Planned(row, line, already=earlier[1], reasons=earlier[2], twin=earlier[0])
        planned = Planned(row, line, reasons=row.reasons) if row.reasons else self._plan_new(row, line)
        self.seen[line] = (row.number, planned.already or planned.act, planned.reasons)
        return planned

    def _plan_new(self, row: SourceRow, line: str) -> Planned:
        mapped = apply_map(self.chart, row.values, self.lang)
        documents, files, faults = self._documents(row, line, mapped)
        data, more = self._record(line, mapped, documents)
        already = self._published(data, documents)
        if already is not None:
            return Planned(row, line, already=already)
        reasons = _all_reasons([*mapped.reasons, *faults, *more], data)
        if reasons:
            return Planned(row, line, reasons=tuple(reasons))
        return self._judged(row, line, data, files, mapped.warnings)

    def _judged(
        self, row: SourceRow, line: str, data: dict[str, Any], files: Mapping[str, bytes | Path], said: tuple[Remark, ...]
    ) -> Planned:
        payload = canonical.dump(data)
        if len(payload) > MAX_RECORD:
            return Planned(row, line, reasons=(Reason("too-long", "", {"size": len(payload), "limit": MAX_RECORD}),))
        envelope = Envelope(RECORD_TYPE, payload, ())
        for key in self.signers:
            envelope = add_signature(envelope, key.public.keyid, key.sign)
        already = self.acts.by_id(envelope.id)
        if already is not None:
            return Planned(row, line, already=already)
        reasons = judge_record(self.roster, self.acts, envelope, time=self.time)
        if reasons:
            return Planned(row, line, reasons=tuple(reasons))
        today = local_date(self.time, self.roster.utc_offset)
        warnings = (*said, *_telling(warnings_about(data, self.roster, self.acts.local, today=today)))
        act = self.acts.add(envelope, self.time)
        return Planned(row, line, envelope=envelope, files=files, warnings=warnings, act=act)

    def _documents(
        self, row: SourceRow, line: str, mapped: Mapped
    ) -> tuple[list[dict[str, Any]], dict[str, bytes | Path], list[Reason]]:
        """The row's documents: the named files, or the row itself."""
        if not mapped.documents:
            name = f"source-{line[:12]}.{'csv' if row.media_type == 'text/csv' else 'json'}"
            value = {"sha256": line, "size": len(row.document), "media_type": row.media_type, "name": name, "role": "source"}
            return [value], {line: row.document}, []
        values, files, faults = [], dict[str, bytes | Path](), []
        for name, role in mapped.documents:
            try:
                found = read_document(_inside(self.folder, name), role)
                values.append(found.value())
                files[found.sha256] = found.path
            except LedgerError as error:
                faults.append(Reason(error.code, "documents", error.values))
        return values, files, faults

    def _record(self, line: str, mapped: Mapped, documents: list[dict[str, Any]]) -> tuple[dict[str, Any], list[Reason]]:
        data = {"number": None, **mapped.data, "v": 1, "founding": self.roster.founding, "documents": documents}
        data.setdefault("ref", self.journal.refs.get(line) or row_ref(self.roster.founding, line))
        data["signers"] = sorted({key.public.keyid for key in self.signers})
        data["relations"], faults = [], []
        for spec in mapped.relations:
            try:
                data["relations"].append(self._relation(spec, data))
            except FormatError as error:
                faults.append(Reason(error.code, "relations", error.values))
        return data, faults

    def _relation(self, spec: Spec, data: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {"type": spec["type"], **({"reason": spec["reason"]} if "reason" in spec else {})}
        if "earlier" in spec:
            texts = [one for key in ("form", "office", "number", "signed_on") if isinstance(one := data.get(key), str)]
            key = number_key(texts[0], texts[1], texts[2], texts[3]) if len(texts) == 4 else None
            same = self.acts.by_number(key) if key else ()
            if not same:
                raise FormatError("no earlier act of this number", code="no-earlier-act", number=data.get("number"))
            return {**found, "ref": same[0].ref}
        if "outside" in spec:
            return {**found, "outside": {"number": spec["outside"]}}
        return {**found, "ref": parse_ref(spec.get("ref", ""))}

    def _published(self, data: dict[str, Any], documents: list[dict[str, Any]]) -> Act | None:
        """Return the act of the same office (and number) that the ledger already has of these documents."""
        codes = [one["sha256"] for one in documents]
        for act in self.acts.by_document(codes[0]) if codes else ():
            same = act.office == data.get("office") and (act.number == data["number"] or documents[0]["role"] == "source")
            if same and all(act.id in {one.id for one in self.acts.by_document(code)} for code in codes[1:]):
                return act
        return None


class _Both:
    """The acts of the ledger, and after them those that this run has planned; implements ``replay.Acts``."""

    def __init__(self, index: KnownActs | None, size: int) -> None:
        connection = driver().connect(":memory:")
        connection.executescript(SCHEMA)
        self.local, self.next = Index(connection), size
        self.parts: list[KnownActs] = [self.local] if index is None else [index, self.local]

    def close(self) -> None:
        """Drop the planned acts; the ledger's own stay open."""
        self.local.connection.close()

    def add(self, envelope: Envelope, time: str) -> Act:
        """Remember an act as the next one."""
        act = self.local.add(parse_record(envelope.payload), index=self.next, time=time)
        self.next += 1
        return act

    def by_ref(self, ref: str) -> Act | None:
        """Return the act that carries ``ref``."""
        return next((act for part in self.parts if (act := part.by_ref(ref)) is not None), None)

    def by_id(self, act_id: str) -> Act | None:
        """Return the act of that id."""
        return next((act for part in self.parts if (act := part.by_id(act_id)) is not None), None)

    def by_number(self, key: NumberKey) -> Sequence[Act]:
        """Return the acts under one number key, oldest first."""
        return [act for part in self.parts for act in part.by_number(key)]

    def by_document(self, sha256: str) -> Sequence[Act]:
        """Return the acts that name a document, oldest first."""
        return [act for part in self.parts for act in part.by_document(sha256)]

    def relating_to(self, ref: str) -> Sequence[tuple[str, Act]]:
        """Return (relation type, act) of each act that names ``ref``, oldest first."""
        return [found for part in self.parts for found in part.relating_to(ref)]


def _inside(folder: Path, name: str) -> Path:
    """Return a document's path; a table may not reach for files outside the folder that it lies in."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise UsageError(f"{name} lies outside", code="outside-folder", name=name)
    return path


def _all_reasons(found: list[Reason], data: dict[str, Any]) -> list[Reason]:
    """Add the record's own faults; that a key is missing is no news where its column could not be read."""
    told = {one.path for one in found}
    own = [one for one in check_record(data) if one.path not in told]
    if own or found:
        return found + own
    try:
        canonical.dump(data)
    except FormatError as error:
        return [Reason(error.code, "", error.values)]
    return []


def _telling(warnings: list[Remark]) -> list[Remark]:
    """A row imported later is always old, and has the columns that it has."""
    return [one for one in warnings if one.code not in ("date-old", "usual-fields")]
