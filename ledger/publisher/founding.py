"""Founding a ledger: entry 0 and the home around it, made beside its place and moved there whole."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from ledger.clock import Clock
from ledger.durable import check_free_space, make_folder, sync_folder, write_over
from ledger.errors import AdmissionError, StoreError
from ledger.keyfile import load_log_keys
from ledger.publisher.admission import append_entry, empty_tip
from ledger.publisher.catalogue import keep_catalogue
from ledger.publisher.home import Home, format_settings
from ledger.publisher.outbox import flush
from ledger.publisher.schema import create_inbox, create_ledger
from ledger.publisher.signing import KeyOpener
from ledger.publisher.store import Store
from ledger.records import canonical
from ledger.records.entry import NO_ROSTER, format_time
from ledger.records.envelope import Envelope
from ledger.records.events import ROSTER_TYPE
from ledger.records.roster import Roster, judge_roster
from ledger.sqlite import transaction

__all__ = ["draft_founding", "found"]


def draft_founding(
    *,
    origin: str,
    name: str,
    utc_offset: str,
    languages: Sequence[str],
    authority: Sequence[str],
    threshold: int,
    vkeys: tuple[str, str],
) -> Envelope:
    """Return the unsigned founding; ``authority`` are public keys in base64 SPKI."""
    event = {
        "event": "founding",
        "origin": origin,
        "name": name,
        "utc_offset": utc_offset,
        "languages": list(languages),
        "authority": {"keys": list(authority), "threshold": threshold},
        "log": {"vkeys": list(vkeys)},
    }
    payload = canonical.dump({"v": 1, "n": 0, "prev_roster": NO_ROSTER, "events": [event]})
    return Envelope(ROSTER_TYPE, payload, ())


def found(
    path: Path,
    envelope: Envelope,
    *,
    log_keys: Sequence[Path],
    keys: KeyOpener,
    url: str | None = None,
    clock: Clock | None = None,
) -> Home:
    """Found the ledger that ``envelope`` describes in the new folder ``path``, its checkpoint out, and return its home.

    Raises:
        AdmissionError: the founding is not signed by every authority key, or says something that may not be said.
        StoreError: the folder is in use, or the disk refuses.
    """
    reasons = judge_roster(Roster(), envelope, index=0)
    if reasons:
        raise AdmissionError(reasons)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise StoreError(f"{path} is in use", code="folder-in-use", path=str(path))
    building = path.absolute().parent / f".{path.name}.founding"
    make_folder(building.parent)
    check_free_space(building.parent)
    shutil.rmtree(building, ignore_errors=True)
    try:
        _build(building, envelope, log_keys, keys, url, clock or Clock())
        if path.exists():
            path.rmdir()
        building.rename(path)
    except OSError as error:
        raise StoreError(f"{path}: {error}", code="cannot-write", path=str(path), problem=str(error)) from None
    finally:
        shutil.rmtree(building, ignore_errors=True)
    sync_folder(path.absolute().parent)
    return Home.open(path)


def _build(
    building: Path, envelope: Envelope, log_keys: Sequence[Path], keys: KeyOpener, url: str | None, clock: Clock
) -> None:
    origin = canonical.parse(envelope.payload, limit=len(envelope.payload))["events"][0]["origin"]
    make_folder(building, 0o750)
    make_folder(building / "public")
    make_folder(building / "staging", 0o700)
    home = Home(building, origin, envelope.id, tuple(log_keys), url)
    create_ledger(home.ledger_db)
    create_inbox(home.inbox_db)
    with Store(home) as store, transaction(store.connection):
        for fact in (("origin", origin), ("founding", envelope.id)):
            store.connection.execute("INSERT INTO meta VALUES (?, ?)", fact)
        append_entry(store, empty_tip(), envelope, format_time(clock.now()))
    flush(home, [load_log_keys(one, keys(one)) for one in log_keys], clock.now())
    shown = [str(one.absolute()) for one in log_keys]
    write_over(building / "bening.toml", format_settings(origin, envelope.id, shown, url).encode("utf-8"))
    keep_catalogue(home)
