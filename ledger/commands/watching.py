"""Gathering what ``status`` judges: the home's databases and files, the disk, the clock, and the site's certificate."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import shutil
import ssl
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ledger.errors import LedgerError, UsageError
from ledger.publisher.home import Home
from ledger.publisher.watching import CRITICAL, UNKNOWN, Alert, Facts, judge, perfdata, worst

if TYPE_CHECKING:
    from ledger.commands.common import Session
    from ledger.publisher.store import Store
    from ledger.records.roster import Roster

__all__ = ["alerts_of", "facts_of", "nagios"]

_WITHIN = 3.0  # seconds, for the site's certificate
_MONTH = 30 * 86400
_WORDS = {0: "OK", 1: "WARNING", 2: "CRITICAL", 3: "UNKNOWN"}


def nagios(here: Session, home_of: Any) -> int:
    """Print one line for a monitor, and return its exit status; whatever goes wrong is a line and a status as well."""
    try:
        facts = facts_of(home_of(here))
        alerts = judge(facts)
        said = [here.say(f"watch.{one.code}", **one.values) for one in alerts] or [here.say("watch.ok", size=facts.published)]
        return _print(here, worst(alerts), said, perfdata(facts))
    except LedgerError as error:
        from ledger.words import explain

        unknown = isinstance(error, UsageError) or error.code in ("not-a-home", "bad-settings")
        return _print(here, UNKNOWN if unknown else CRITICAL, [explain(error, here.lang)], "")
    except Exception as error:  # noqa: BLE001  # a monitor takes nothing else
        return _print(here, UNKNOWN, [repr(error)], "")


def _print(here: Session, level: int, said: list[str], figures: str) -> int:
    """Write a line as the plugin guidelines have it: without a bar or a line break but its own."""
    text = " · ".join(said).replace("|", "/").replace("\n", " ")
    here.out(f"BENING {_WORDS[level]} - {text}" + (f"|{figures}" if figures else ""))
    return level


def facts_of(home: Home) -> Facts:
    """Return a home's facts as of now.

    Raises:
        LedgerError: its databases or settings cannot be read.
    """
    from ledger.durable import LEAST_FREE
    from ledger.publisher.outbox import published_checkpoint
    from ledger.publisher.store import Store
    from ledger.records.entry import parse_time
    from web.settings import WebSettings

    now = time.time()
    with Store(home, read_only=True) as store:
        head, published, roster = store.head(), store.published_size(), store.roster()
        growth = _growth(store, now)
    waiting, oldest = _inbox(home)
    made, faults = _backup(home)
    expires, problem = _certificate(home)
    out = published_checkpoint(home)
    return Facts(
        now=now, head=head.size if head else 0, head_time=parse_time(head.time) if head else now, published=published,
        out=out[0] if out else 0, running=home.is_sequenced(), waiting=waiting, oldest=oldest,
        free=shutil.disk_usage(home.path).free, watermark=LEAST_FREE, restored=home.restore_mark.exists(),
        catalogue=_catalogue(home), staging=_staging(home), quota=WebSettings.of(home).staging_quota,
        backup=made, backup_faults=faults, terms=_terms(roster), today=_today(roster, now),
        overlaps=_overlaps(roster, published), growth=growth, certificate=expires, certificate_problem=problem,
    )  # fmt: skip


def _growth(store: Store, now: float) -> int:
    from ledger.records.entry import format_time

    before = format_time(max(0, int(now) - _MONTH))
    row = store.connection.execute("SELECT max(size), (SELECT max(size) FROM heads WHERE time < ?) FROM heads", (before,))
    size, then = row.fetchone()
    return (size or 0) - (then or 0)


def _inbox(home: Home) -> tuple[int, float | None]:
    from ledger.publisher.schema import INBOX_VERSION, open_checked

    with contextlib.closing(open_checked(home.inbox_db, INBOX_VERSION, read_only=True)) as connection:
        row = connection.execute("SELECT count(*), min(time) FROM submissions WHERE state = 'pending'").fetchone()
    return int(row[0]), row[1]


def _catalogue(home: Home) -> int:
    from ledger.catalog.schema import meta, open_existing

    with contextlib.suppress(LedgerError, ValueError):
        connection = open_existing(home.search_db, read_only=True)
        if connection is not None:
            with contextlib.closing(connection):
                return int(meta(connection, "size"))
    return 0


def _staging(home: Home) -> int:
    total = 0
    with contextlib.suppress(OSError), os.scandir(home.staging) as found:
        for one in found:
            with contextlib.suppress(OSError):  # it was moved meanwhile
                total += one.stat(follow_symlinks=False).st_size
    return total


def _backup(home: Home) -> tuple[float | None, int]:
    """Return when the last good backup was made, and how many of its documents could not be had."""
    from ledger.records.entry import parse_time

    try:
        found = json.loads(home.backup_note.read_text("ascii"))
        return parse_time(found["time"]), int(found["faults"])
    except (OSError, ValueError, KeyError, TypeError, LedgerError):
        return None, 0


def _terms(roster: Roster) -> tuple[tuple[str, str], ...]:
    active = [one for one in roster.enrolments.values() if one.active and one.until is not None]
    return tuple((f"{one.holder} ({one.position})", str(one.until)) for one in active)


def _today(roster: Roster, now: float) -> str:
    sign = -1 if roster.utc_offset.startswith("-") else 1
    hours, minutes = (int(part) for part in roster.utc_offset[1:].split(":"))
    zone = datetime.timezone(sign * datetime.timedelta(hours=hours, minutes=minutes))
    return datetime.datetime.fromtimestamp(now, zone).date().isoformat()


def _overlaps(roster: Roster, size: int) -> tuple[tuple[str, int], ...]:
    return tuple((one.vkeys[0], one.until_size - size) for one in roster.log_keys_at(size) if one.until_size is not None)


def _certificate(home: Home) -> tuple[float | None, str | None]:
    """Return when the site's certificate ends, or why that could not be seen; nothing where there is no https to look at."""
    from cryptography import x509

    try:
        if home.certificate is not None:
            found = x509.load_pem_x509_certificate(home.certificate.read_bytes())
        elif home.url is not None and home.url.startswith("https://"):
            found = x509.load_der_x509_certificate(_shown_at(home.url))
        else:
            return None, None
    except (OSError, ValueError) as error:
        return None, f"{home.certificate or home.url}: {error}"
    return found.not_valid_after_utc.timestamp(), None


def _shown_at(url: str) -> bytes:
    """Return the certificate that is shown at ``url``; only its date is asked for, so it need not be one that is trusted."""
    import socket

    place = urlsplit(url)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection((place.hostname or "", place.port or 443), timeout=_WITHIN) as plain,
        context.wrap_socket(plain, server_hostname=place.hostname) as opened,
    ):
        return opened.getpeercert(binary_form=True) or b""


def alerts_of(home: Home) -> list[Alert]:
    """Return what is wrong with a home, or soon will be."""
    return judge(facts_of(home))
