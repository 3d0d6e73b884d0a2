"""A small but complete home: more than one tile, roster events, relations, documents, a withdrawal, and what waits."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from ledger.publisher.home import Home
from ledger.publisher.inbox import Inbox
from ledger.publisher.store import Store
from ledger.sqlite import connect
from tests.publisher.town import Town

__all__ = ["Village", "build"]

LAW = "UU 14/2008"


@dataclass(frozen=True, slots=True)
class Village:
    """``quiet``: its databases are whole files. ``busy``: the newest transactions are in write-ahead logs. Both are sound."""

    town: Town
    quiet: Home
    busy: Home
    withdrawn: str


def build(folder: Path, acts: int = 250) -> Village:
    """Make the village in ``folder``, with some more than 256 entries and several checkpoints."""
    town = Town(folder)
    town.settle_in()
    base = town.published(b"%PDF-1.4 base")
    town.roster(
        {"event": "form", "id": "putus", "kind": "decision", "name": "Putusan"},
        {"event": "series", "id": "buku", "office": "hukum", "forms": ["putus"], "pattern": "{serial}/{year}", "start": 1,
         "resets": "yearly", "complete_from": "2026-01-01"},
    )  # fmt: skip
    secret = town.file(b"%PDF-1.4 to be withdrawn")["sha256"]
    town.published(b"%PDF-1.4 to be withdrawn")
    text = {**town.file(b"Trotoar di Jalan Merdeka diperbaiki."), "media_type": "text/plain", "name": "sk.txt", "role": "text"}
    paper = {**town.file(b"%PDF-1.4 with text"), "media_type": "application/pdf", "name": "sk.pdf", "role": "signed"}
    assert town.submit(town.act(None, documents=[paper, text]))[0].index is not None
    assert base.ref is not None
    revoked = town.published(b"%PDF-1.4 amends", relations=[{"type": "amends", "ref": base.ref}])
    assert revoked.index is not None
    town.roster({"event": "withdraw", "sha256": secret, "law": LAW, "reason": "data pribadi"})
    shared = town.file(b"%PDF-1.4 shared by many")
    common = [{**shared, "media_type": "application/pdf", "name": "sk.pdf", "role": "signed"}]
    outcomes = town.submit(*(town.act(None, documents=common, number=f"{n}/X", title=f"Penetapan {n}") for n in range(acts)))
    assert all(one.index is not None for one in outcomes)
    town.published(b"%PDF-1.4 before the border")
    assert town.submit(town.act(b"%PDF-1.4 refused", office="nowhere"))[0].reasons
    return _variants(town, folder, secret)


def _variants(town: Town, folder: Path, secret: str) -> Village:
    """Copy the home twice: once while connections keep the newest transactions in the logs, once when all are closed."""
    open_ones = [connect(path) for path in (town.home.ledger_db, town.home.inbox_db, town.home.search_db)]
    for one in open_ones:
        one.execute("SELECT count(*) FROM sqlite_master").fetchone()
    town.published(b"%PDF-1.4 in the log")
    town.published(b"%PDF-1.4 in the log as well")
    inbox = Inbox(town.home)
    inbox.submit([town.act(b"%PDF-1.4 waits").envelope, town.act(b"%PDF-1.4 waits too").envelope])
    inbox.close()
    shutil.copytree(town.home.path, folder / "busy", ignore=shutil.ignore_patterns("*-shm"))
    for one in open_ones:
        one.close()
    shutil.copytree(town.home.path, folder / "quiet")
    with Store(town.home, read_only=True) as store:
        assert store.published_size() > 256
    return Village(town, Home.open(folder / "quiet"), Home.open(folder / "busy"), secret)
