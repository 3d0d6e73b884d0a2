"""What an operator must know today: rules from facts to alerts. No file, database, clock or socket is touched here.

An alert is a code under ``[watch.<code>]`` of the glossary, a level, and the values of its sentence. Levels are those of
the Nagios plugin guidelines (0 ok, 1 warning, 2 critical, 3 unknown); a warning has days, a critical alert has not.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

__all__ = ["CRITICAL", "OK", "UNKNOWN", "WARNING", "Alert", "Facts", "judge", "perfdata", "worst"]

OK = 0
WARNING = 1
CRITICAL = 2
UNKNOWN = 3

MINUTE, HOUR, DAY = 60, 3600, 86400
SOON = 30 * DAY  # terms, keys and certificates that end are told a month before
WAITS = (MINUTE, 10 * MINUTE)
BACKUP = (36 * HOUR, 7 * DAY)
CERTIFICATE = (SOON, 7 * DAY)
CLOCK_BEHIND, CLOCK_AHEAD = 5 * MINUTE, 25 * DAY  # the sequencer refuses to start 5 minutes behind, 30 days ahead
ROOM = 10  # times the watermark
STAGING = (0.8, 1.0)  # of the quota


@dataclass(frozen=True, slots=True)
class Facts:
    """A home as it was found. Times are POSIX seconds, sizes entries, free space and staging bytes."""

    now: float
    head: int
    head_time: float
    published: int
    out: int
    running: bool
    waiting: int
    oldest: float | None
    free: int
    watermark: int
    restored: bool
    catalogue: int
    staging: int
    quota: int
    backup: float | None = None
    backup_faults: int = 0
    terms: tuple[tuple[str, str], ...] = ()  # (who, last day of the term)
    today: str = "1970-01-01"  # in the ledger's zone
    overlaps: tuple[tuple[str, int], ...] = ()  # (a log key that ends, entries until then)
    growth: int = 0  # entries of the last 30 days
    certificate: float | None = None
    certificate_problem: str | None = None


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing that needs somebody."""

    code: str
    level: int
    values: dict[str, object] = field(default_factory=dict)


def judge(facts: Facts) -> list[Alert]:
    """Return what is wrong or soon will be, the worst first."""
    found = [
        *_publishing(facts), *_clock(facts), *_room(facts), *_backup(facts), *_terms(facts), *_keys(facts), *_certificate(facts)
    ]  # fmt: skip
    return sorted(found, key=lambda one: _RANK[one.level], reverse=True)


_RANK = {OK: 0, UNKNOWN: 1, WARNING: 2, CRITICAL: 3}


def worst(alerts: Sequence[Alert]) -> int:
    """Return the level of all together; what could not be looked at weighs less than what was seen."""
    return max((one.level for one in alerts), key=_RANK.__getitem__, default=OK)


def perfdata(facts: Facts) -> str:
    """Return the figures as the Nagios plugin guidelines write them: ``label=value[unit];warning;critical;least;most``."""
    waited = 0 if facts.oldest is None else max(0, round(facts.now - facts.oldest))
    found = [
        f"size={facts.published};;;0",
        f"unpublished={max(0, facts.head - facts.published)};;;0",
        f"waiting={facts.waiting};;;0",
        f"waited={waited}s;{WAITS[0]};{WAITS[1]};0",
        f"free={facts.free}B;{ROOM * facts.watermark}:;{facts.watermark}:;0",
        f"staging={facts.staging}B;{round(STAGING[0] * facts.quota)};{facts.quota};0",
        f"catalogue={facts.catalogue};;;0",
    ]
    if facts.backup is not None:
        found.append(f"backup_age={max(0, round(facts.now - facts.backup))}s;{BACKUP[0]};{BACKUP[1]};0")
    if facts.certificate is not None:
        days = int((facts.certificate - facts.now) // DAY)
        found.append(f"certificate_days={days};{CERTIFICATE[0] // DAY}:;{CERTIFICATE[1] // DAY}:")
    return " ".join(found)


def _publishing(facts: Facts) -> Iterator[Alert]:
    if facts.restored:
        yield Alert("restored", CRITICAL)
    if not facts.running:
        yield Alert("not-running", CRITICAL if facts.waiting else WARNING, {"waiting": facts.waiting})
    waited = 0 if facts.oldest is None else facts.now - facts.oldest
    if waited > WAITS[0]:
        level = CRITICAL if waited > WAITS[1] else WARNING
        yield Alert("waits", level, {"waiting": facts.waiting, "minutes": round(waited / MINUTE)})
    if facts.out != facts.published:
        yield Alert("checkpoint", CRITICAL, {"out": facts.out, "size": facts.published})
    elif facts.head != facts.published and facts.now - facts.head_time > WAITS[0]:
        yield Alert("unpublished", CRITICAL, {"count": facts.head - facts.published})
    if facts.catalogue < facts.published and facts.now - facts.head_time > WAITS[1]:
        yield Alert("catalogue", WARNING, {"size": facts.catalogue, "known": facts.published})


def _clock(facts: Facts) -> Iterator[Alert]:
    ahead = facts.now - facts.head_time
    if ahead < -CLOCK_BEHIND:
        yield Alert("clock-behind", CRITICAL, {"minutes": round(-ahead / MINUTE)})
    elif ahead > CLOCK_AHEAD:
        yield Alert("quiet", WARNING, {"days": int(ahead // DAY)})


def _room(facts: Facts) -> Iterator[Alert]:
    if facts.free < ROOM * facts.watermark:
        level = CRITICAL if facts.free < facts.watermark else WARNING
        yield Alert("disk", level, {"free": facts.free // 2**20, "least": facts.watermark // 2**20})
    if facts.staging >= STAGING[0] * facts.quota:
        level = CRITICAL if facts.staging >= STAGING[1] * facts.quota else WARNING
        yield Alert("staging", level, {"used": facts.staging // 2**20, "quota": facts.quota // 2**20})


def _backup(facts: Facts) -> Iterator[Alert]:
    if facts.backup is None:
        yield Alert("no-backup", WARNING)
        return
    age = facts.now - facts.backup
    if age > BACKUP[0]:
        yield Alert("backup-old", CRITICAL if age > BACKUP[1] else WARNING, {"hours": int(age // HOUR)})
    if facts.backup_faults:
        yield Alert("backup-faults", WARNING, {"count": facts.backup_faults})


def _terms(facts: Facts) -> Iterator[Alert]:
    """Terms that end within a month; those that are over are history."""
    last = (datetime.date.fromisoformat(facts.today) + datetime.timedelta(seconds=SOON)).isoformat()
    for who, until in facts.terms:
        if facts.today <= until <= last:
            yield Alert("term", WARNING, {"who": who, "until": until})


def _keys(facts: Facts) -> Iterator[Alert]:
    """Keys of the log that sign no more after so many entries, where that many may come within a month."""
    for key, left in facts.overlaps:
        if left <= facts.growth:
            yield Alert("log-key", WARNING, {"key": key, "count": left})


def _certificate(facts: Facts) -> Iterator[Alert]:
    if facts.certificate_problem is not None:
        yield Alert("certificate-unknown", UNKNOWN, {"problem": facts.certificate_problem})
    if facts.certificate is None:
        return
    left = facts.certificate - facts.now
    if left < 0:
        yield Alert("certificate-over", CRITICAL)
    elif left < CERTIFICATE[0]:
        yield Alert("certificate", CRITICAL if left < CERTIFICATE[1] else WARNING, {"days": int(left // DAY)})
