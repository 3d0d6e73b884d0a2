"""Keeping the catalogue: what is published is fed to it, after the submitters have their answers.

The catalogue is derived. It is brought up to the published size and never beyond; where it is missing, damaged, of
another version or founding, or shows another history or more than is published (a restored backup), it is made anew. Its
faults never stop publishing: they are told in one line, and the next batch tries again.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson

from ledger.catalog.feeding import MOST_TEXT, Feed, Feeder, is_damage
from ledger.catalog.folding import ALL
from ledger.catalog.rows import row_of, texts_of, wholes_of
from ledger.catalog.schema import meta, open_existing
from ledger.errors import LedgerError
from ledger.publisher.home import Home
from ledger.publisher.sharing import logs_kept
from ledger.publisher.store import Store
from ledger.records.entry import parse_entry
from ledger.records.record import RECORD_TYPE, Record
from ledger.records.roster import Roster, apply_roster
from ledger.sqlite import driver

__all__ = ["check_catalogue", "keep_catalogue", "make_catalogue", "rebuild_catalogue", "update_catalogue"]

_BATCH = 1000


def keep_catalogue(home: Home, seconds: float = 0.25) -> bool:
    """Bring the catalogue up to date, one batch at least and then as far as ``seconds`` allow.

    Tells whether nothing is left that could be done now; after a fault nothing is.
    """
    try:
        return _mended(home, time.monotonic() + seconds)[1]
    except Exception as error:  # noqa: BLE001  # whatever it is, it must not stop publishing
        print(f"catalogue: {error!r}", file=sys.stderr)  # noqa: T201  # an operator's line, as the sequencer's own
        return True


def update_catalogue(home: Home) -> int:
    """Bring the catalogue up to the published size, which is returned; a damaged one is made anew.

    Raises:
        LedgerError: the disk refuses, or entries cannot be read.
    """
    return _mended(home, None)[0]


def rebuild_catalogue(home: Home, progress: Callable[[int, int], None] | None = None) -> int:
    """Make the catalogue anew, whole, and return its size.

    Raises:
        LedgerError: the disk refuses, or entries cannot be read.
    """
    return _update(home, None, progress, anew=True)[0]


def make_catalogue(store: Store, path: Path) -> None:
    """Make another catalogue, of what is published, at ``path``."""
    size = store.published_size()
    feeder = Feeder(path, founding=store.home.founding, utc_offset=store.roster(size).utc_offset)
    try:
        _feed(store, feeder, size, None, lambda done, total: None)
    finally:
        feeder.close()


def check_catalogue(home: Home, store: Store) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield (code, values) of what is wrong with the catalogue at a glance; one that is missing is made at the next start."""
    try:
        connection = open_existing(home.search_db, read_only=True)
        if connection is None:
            return
        with contextlib.closing(connection):
            yield from _check(home, store, connection)
    except (LedgerError, driver().Error, ValueError) as error:
        yield "catalogue-damaged", {"problem": str(error)}


def _check(home: Home, store: Store, connection: Any) -> Iterator[tuple[str, dict[str, object]]]:
    problem = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if problem != "ok":
        yield "catalogue-damaged", {"problem": problem}
        return
    published = store.published_size()
    size = _settled_size(connection, published)
    if size < published:
        yield "catalogue-behind", {"size": size, "known": published}
    expected = 0 if size > published else _count(store.connection, "SELECT count(*) FROM acts WHERE idx < ?", size)
    leaf = store.leaves(size - 1, size)[0].hex() if 0 < size <= published else ""
    texts = {row[0] for row in connection.execute("SELECT DISTINCT sha256 FROM texts").fetchall()}
    same = (
        size <= published
        and (meta(connection, "founding"), meta(connection, "leaf")) == (home.founding, leaf)
        and _count(connection, "SELECT count(*) FROM acts") == expected
        and _count(connection, "SELECT count(*) FROM terms WHERE terms MATCH ?", f'"{ALL}"') == expected
        and not texts & store.roster(published).withdrawn.keys()
    )
    if not same:
        yield "catalogue", {"size": size}


def _settled_size(connection: Any, published: int) -> int:
    """Return the catalogue's size; a sequencer that runs beside gets a second to feed what it has just published."""
    for _ in range(10):
        if int(meta(connection, "size")) >= published:
            break
        time.sleep(0.1)
    return int(meta(connection, "size"))


def _count(connection: Any, query: str, *values: object) -> int:
    return int(connection.execute(query, values).fetchone()[0])


def _mended(home: Home, until: float | None) -> tuple[int, bool]:
    try:
        return _update(home, until)
    except (LedgerError, driver().Error) as error:
        if not is_damage(error):
            raise
    return _update(home, until, anew=True)


def _update(
    home: Home, until: float | None, progress: Callable[[int, int], None] | None = None, *, anew: bool = False
) -> tuple[int, bool]:
    """Return up to where the catalogue reaches when the monotonic time ``until`` is over, and whether that is all."""
    with Store(home, read_only=True) as store:
        size = store.published_size()
        if not size:
            return 0, True
        roster = store.roster(size)
        feeder = Feeder(home.search_db, founding=home.founding, utc_offset=roster.utc_offset)
        try:
            if anew or not _continues(store, feeder, size):
                feeder.clear()
            _withdraw(feeder, roster)
            return _feed(store, feeder, size, until, progress or (lambda done, total: None))
        finally:
            with logs_kept(home, "search.db"):
                feeder.close()


def _continues(store: Store, feeder: Feeder, size: int) -> bool:
    """Tell whether what the catalogue holds are the first of these entries."""
    known = feeder.size
    return not known or (known <= size and store.leaves(known - 1, known)[0].hex() == feeder.leaf)


def _withdraw(feeder: Feeder, roster: Roster) -> None:
    if roster.withdrawn:
        feeder.withdraw(roster.withdrawn)


def _feed(
    store: Store, feeder: Feeder, size: int, until: float | None, progress: Callable[[int, int], None]
) -> tuple[int, bool]:
    start = feeder.size
    roster, withdrawn = store.roster(start), set(store.roster(size).withdrawn)
    while True:
        end = min(size, start + _BATCH)
        acts = []
        for index, data in enumerate(store.entries(start, end), start):
            entry = orjson.loads(data)  # judged when it was admitted; here it is only read
            if entry["envelope"]["payloadType"] == RECORD_TYPE:
                acts.append(_act(store.home, roster, entry, index, withdrawn))
            else:
                roster = apply_roster(roster, parse_entry(data).envelope, index=index)
        if start < end:
            feeder.add(acts, start=start, size=end, leaf=store.leaves(end - 1, end)[0].hex())
        start, sealed = end, feeder.seal(until)
        progress(end, size)
        if start == size or not sealed or (until is not None and time.monotonic() > until):
            return start, sealed and start == size


def _act(home: Home, roster: Roster, entry: dict[str, Any], index: int, withdrawn: set[str]) -> Feed:
    """Return an act under the names that the roster gave its office and form when it was published."""
    payload = base64.b64decode(entry["envelope"]["payload"])
    record = Record(payload, hashlib.sha256(payload).hexdigest(), orjson.loads(payload))
    office, form = (
        str(known.get(record.data[key], {}).get("name", ""))
        for key, known in (("office", roster.offices), ("form", roster.forms))
    )
    return Feed(
        row_of(record, index=index, time=entry["time"], utc_offset=roster.utc_offset),
        tuple(texts_of(record, office=office, form=form)),
        wholes_of(record),
        tuple(_documents(home, record, withdrawn)),
    )


def _documents(home: Home, record: Record, withdrawn: set[str]) -> Iterator[tuple[str, str]]:
    """Yield (SHA-256, text) of the published plain texts that a clerk's machine supplied; no other file is looked into."""
    for document in record.documents:
        is_text = document["role"] == "text" and document["media_type"] == "text/plain"
        if is_text and document["sha256"] not in withdrawn:
            try:
                with open(home.document(document["sha256"]), "rb") as file:
                    data = file.read(MOST_TEXT)
            except OSError:
                continue  # fsck tells of it
            text = data.decode("utf-8", "ignore").replace("\0", " ")
            if text.strip():
                yield document["sha256"], text
