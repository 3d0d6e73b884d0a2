"""The rules of ``status``: each fact alone makes its finding at its bounds, nothing else does, and the worst comes first."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ledger.publisher.watching import CRITICAL, OK, UNKNOWN, WARNING, Facts, judge, perfdata, worst
from ledger.words import LANGUAGES, say

MIB, HOUR, DAY = 2**20, 3600, 86400
NOW = 1_800_000_000.0
WELL = Facts(
    now=NOW, head=9, head_time=NOW - DAY, published=9, out=9, running=True, waiting=0, oldest=None, free=9000 * MIB,
    watermark=64 * MIB, restored=False, catalogue=9, staging=0, quota=1000 * MIB, backup=NOW - HOUR, today="2027-01-15",
    terms=(("Sari (Kepala)", "2028-01-01"), ("Budi (Kepala)", "2026-12-31")), overlaps=(("k", 100),), growth=99,
    certificate=NOW + 60 * DAY,
)  # fmt: skip

CASES: list[tuple[dict[str, Any], str | None, int]] = [
    ({}, None, OK),
    ({"restored": True}, "restored", CRITICAL),
    ({"running": False}, "not-running", WARNING),
    ({"running": False, "waiting": 1, "oldest": NOW}, "not-running", CRITICAL),
    ({"waiting": 1, "oldest": NOW - 59}, None, OK),
    ({"waiting": 1, "oldest": NOW - 61}, "waits", WARNING),
    ({"waiting": 1, "oldest": NOW - 601}, "waits", CRITICAL),
    ({"out": 8}, "checkpoint", CRITICAL),
    ({"out": 10}, "checkpoint", CRITICAL),
    ({"head": 10}, "unpublished", CRITICAL),
    ({"head": 10, "head_time": NOW - 5}, None, OK),
    ({"catalogue": 8}, "catalogue", WARNING),
    ({"catalogue": 8, "head_time": NOW - 5}, None, OK),
    ({"head_time": NOW + 299}, None, OK),
    ({"head_time": NOW + 301}, "clock-behind", CRITICAL),
    ({"head_time": NOW - 24 * DAY}, None, OK),
    ({"head_time": NOW - 26 * DAY}, "quiet", WARNING),
    ({"free": 640 * MIB}, None, OK),
    ({"free": 640 * MIB - 1}, "disk", WARNING),
    ({"free": 64 * MIB - 1}, "disk", CRITICAL),
    ({"staging": 799 * MIB}, None, OK),
    ({"staging": 800 * MIB}, "staging", WARNING),
    ({"staging": 1000 * MIB}, "staging", CRITICAL),
    ({"backup": None}, "no-backup", WARNING),
    ({"backup": NOW - 36 * HOUR}, None, OK),
    ({"backup": NOW - 36 * HOUR - 1}, "backup-old", WARNING),
    ({"backup": NOW - 7 * DAY - 1}, "backup-old", CRITICAL),
    ({"backup_faults": 1}, "backup-faults", WARNING),
    ({"terms": (("Sari (Kepala)", "2027-01-15"),)}, "term", WARNING),
    ({"terms": (("Sari (Kepala)", "2027-02-14"),)}, "term", WARNING),
    ({"terms": (("Sari (Kepala)", "2027-02-15"),)}, None, OK),
    ({"terms": (("Sari (Kepala)", "2027-01-14"),)}, None, OK),
    ({"overlaps": (("k", 99),)}, "log-key", WARNING),
    ({"certificate": NOW + 30 * DAY}, None, OK),
    ({"certificate": NOW + 30 * DAY - 1}, "certificate", WARNING),
    ({"certificate": NOW + 7 * DAY - 1}, "certificate", CRITICAL),
    ({"certificate": NOW - 1}, "certificate-over", CRITICAL),
    ({"certificate": None}, None, OK),
    ({"certificate": None, "certificate_problem": "x"}, "certificate-unknown", UNKNOWN),
]


@pytest.mark.parametrize(("change", "code", "level"), CASES)
def test_each_rule_at_its_bounds(change: dict[str, Any], code: str | None, level: int) -> None:
    """One fact, one finding, at that level, with a sentence in both languages."""
    found = judge(replace(WELL, **change))
    assert [(one.code, one.level) for one in found] == ([(code, level)] if code else [])
    assert worst(found) == level
    for one in found:
        assert all("{" not in say(f"watch.{one.code}", lang, **one.values) for lang in LANGUAGES)


def test_the_worst_comes_first_and_is_the_whole() -> None:
    """A critical finding is not hidden behind a warning, nor a warning behind what could not be seen."""
    found = judge(replace(WELL, certificate=None, certificate_problem="x", backup=None, restored=True))
    assert [one.level for one in found] == [CRITICAL, WARNING, UNKNOWN]
    assert (worst(found), worst(found[1:]), worst(found[2:]), worst([])) == (CRITICAL, WARNING, UNKNOWN, OK)


def test_the_figures_are_written_as_the_guidelines_say() -> None:
    """label=value[unit];warn;crit;min: no spaces inside, no label twice."""
    import re

    parts = perfdata(replace(WELL, oldest=NOW - 5)).split(" ")
    assert all(re.fullmatch(r"[a-z_]+=-?[0-9]+[sB]?(;[0-9]*:?){0,3}", one, re.ASCII) for one in parts), parts
    labels = [one.split("=")[0] for one in parts]
    assert len(set(labels)) == len(labels) == 9
    assert "waited=5s;60;600;0" in parts


def test_the_rules_touch_no_machine() -> None:
    """Facts come in, findings go out."""
    text = (Path(__file__).parents[2] / "ledger" / "publisher" / "watching.py").read_text()
    imported = [line.split()[1] for line in text.splitlines() if line.startswith(("import ", "from "))]
    assert imported == ["__future__", "datetime", "collections.abc", "dataclasses"]
