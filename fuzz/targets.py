"""The targets: bytes of a stranger in; accepted, or refused with an error of ours. Anything else is a fault.

What is accepted and can be written must be written as exactly the same bytes.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import tomllib
import urllib.parse
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path

from ledger.catalog.filters import Filter
from ledger.catalog.query import conditions
from ledger.desk.mapping import parse_map
from ledger.desk.roster_file import draft_payloads, read_events
from ledger.desk.sources import open_table
from ledger.errors import FormatError, LedgerError
from ledger.publisher.home import Home
from ledger.records import canonical
from ledger.records.entry import dump_entry, parse_entry
from ledger.records.envelope import Envelope, dump_envelope, load_envelope
from ledger.records.events import ROSTER_TYPE, check_payload
from ledger.records.record import MAX_RECORD, check_record, parse_record
from ledger.records.refs import format_ref, parse_ref
from ledger.records.roster import Roster, judge_roster
from ledger.settings import Settings
from ledger.tlog.checkpoint import format_checkpoint, parse_checkpoint
from ledger.tlog.conviction import check_conviction, format_conviction, parse_conviction
from ledger.tlog.note import format_note, format_vkey, parse_note, parse_vkey
from ledger.tlog.policy import parse_policy, policy_founding
from ledger.tlog.proof import format_proof, parse_proof
from ledger.tlog.tiles import format_bundle, parse_bundle, parse_tile_path
from ledger.verifier.unbundle import read_bundle
from web.front.form import read_form

__all__ = ["TARGETS", "run"]

_ROWS = 200
_SUFFIXES = (".jsonl", ".csv", ".xlsx")
_FOLDER: list[tempfile.TemporaryDirectory[str]] = []


def run(name: str, data: bytes) -> bool:
    """Give ``data`` to a target; tell whether it was accepted.

    Raises:
        AssertionError: accepted, and written otherwise. Any other error: one that is not ours.
    """
    try:
        TARGETS[name](data)
    except LedgerError:
        return False
    return True


def _same(written: bytes, data: bytes) -> None:
    assert written == data, f"{written!r} is written for {data!r}"


def _note(data: bytes) -> None:
    _same(format_note(parse_note(data)), data)


def _checkpoint(data: bytes) -> None:
    _same(format_checkpoint(parse_checkpoint(data)), data)


def _vkey(data: bytes) -> None:
    _same(format_vkey(parse_vkey(_text(data))).encode(), data)


def _proof(data: bytes) -> None:
    _same(format_proof(parse_proof(data)), data)


def _conviction(data: bytes) -> None:
    found = parse_conviction(data)
    _same(format_conviction(found), data)
    check_conviction(found)


def _policy(data: bytes) -> None:
    policy = parse_policy(data)
    policy_founding(data)
    policy.check(b"ledger.test/town\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n\xe2\x80\x94 ledger.test/town AAAAAAAA\n")


def _envelope(data: bytes) -> None:
    load_envelope(data, drafts=True)
    _same(dump_envelope(load_envelope(data)), data)


def _record(data: bytes) -> None:
    """The usual spelling, and the long way, say the same."""
    try:
        value = canonical.parse(data, limit=MAX_RECORD)
    except FormatError:
        faults = True
    else:
        faults = any(True for _ in check_record(value))
    try:
        record = parse_record(data)
    except LedgerError:
        assert faults, "refused, but nothing is wrong with it"
        raise
    assert not faults, "accepted, but something is wrong with it"
    _same(canonical.dump(record.data), data)


def _roster(data: bytes) -> None:
    for index in (0, 5):
        assert judge_roster(Roster(), Envelope(ROSTER_TYPE, data, ()), index=index), "accepted without any signature"
    list(check_payload(canonical.parse(data, limit=1 << 16)))


def _entry(data: bytes) -> None:
    _same(dump_entry(parse_entry(data)), data)


def _bundle(data: bytes) -> None:
    _same(format_bundle(parse_bundle(data[1:], data[0] if data else 0)), data[1:])


def _evidence(data: bytes) -> None:
    read_bundle(_file("bukti.zip", data))


def _tile_path(data: bytes) -> None:
    _same(parse_tile_path(_text(data)).path.encode(), data)


def _map(data: bytes) -> None:
    parse_map(_text(data))


def _table(data: bytes) -> None:
    suffix = _SUFFIXES[data[0] % 3] if data else ".csv"
    for row in islice(open_table(_file(f"rows{suffix}", data[1:])).rows, _ROWS):
        assert row.number > 0


def _settings(data: bytes) -> None:
    Home.open(_file("bening.toml", data).parent)


def _config(data: bytes) -> None:
    path = _file("config.toml", data)
    bening = path.parent / "bening"
    bening.mkdir(exist_ok=True)
    os.replace(path, bening / "config.toml")
    found = Settings.load({"XDG_CONFIG_HOME": str(path.parent)})
    again = tomllib.loads(found.to_toml())
    assert (again.get("default") or None) == (found.default or None), again


def _roster_file(data: bytes) -> None:
    draft_payloads(replace(Roster(), founding="0" * 64, hash="0" * 64, n=0), read_events(_file("roster.toml", data)))


def _form(data: bytes) -> None:
    head, _, body = data.partition(b"\n")

    async def chunks() -> AsyncIterator[bytes]:
        for at in range(0, len(body), 97):
            yield body[at : at + 97]

    async def read() -> None:
        async for _ in read_form(head.decode("latin-1"), chunks()):
            pass

    asyncio.run(read())


def _query(data: bytes) -> None:
    pairs = urllib.parse.parse_qsl(data.decode("utf-8", "replace"), keep_blank_values=True)
    found = Filter.read(pairs)
    assert Filter.read(found.pairs()) == found, found.pairs()
    conditions(found.q, _NoWords())


def _reference(data: bytes) -> None:
    found = parse_ref(_text(data))
    assert parse_ref(format_ref(found)) == found


class _NoWords:
    """A catalogue without any word."""

    def has(self, word: str) -> bool:
        """Say no."""
        return False

    def beginning(self, start: str) -> list[str]:
        """Return nothing."""
        return []

    def joined(self, word: str) -> bool:
        """Say no."""
        return False


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _file(name: str, data: bytes) -> Path:
    if not _FOLDER:
        _FOLDER.append(tempfile.TemporaryDirectory())
    path = Path(_FOLDER[0].name) / name
    path.write_bytes(data)
    return path


TARGETS: dict[str, Callable[[bytes], None]] = {
    "note": _note,
    "checkpoint": _checkpoint,
    "vkey": _vkey,
    "proof": _proof,
    "conviction": _conviction,
    "policy": _policy,
    "envelope": _envelope,
    "record": _record,
    "roster": _roster,
    "entry": _entry,
    "bundle": _bundle,
    "evidence": _evidence,
    "tile-path": _tile_path,
    "map": _map,
    "table": _table,
    "settings": _settings,
    "config": _config,
    "roster-file": _roster_file,
    "form": _form,
    "query": _query,
    "reference": _reference,
}
