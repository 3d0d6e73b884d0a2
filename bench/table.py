"""Rows of the table that ``make bench`` prints: work, limit, ratio, spread."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Row", "print_head", "print_rows", "ratio_row"]


@dataclass(frozen=True)
class Row:
    """One figure. ``bar``: what the ratio is held against, like ``>= 0.35``; empty where it is only told."""

    name: str
    work: str
    limit: str
    ratio: float | None
    spread: str = ""
    bar: str = ""

    @property
    def verdict(self) -> str:
        """``yes`` or ``no`` against the bar."""
        if not self.bar or self.ratio is None:
            return ""
        sign, _, number = self.bar.partition(" ")
        return "yes" if (self.ratio >= float(number) if sign == ">=" else self.ratio <= float(number)) else "no"


def ratio_row(name: str, work: Sequence[float], limit: Sequence[float], unit: str, bar: str = "") -> Row:
    """Return the row of interleaved measurements: medians, the ratio of medians, and the spread of the single ratios."""
    ratios = sorted(one / other for one, other in zip(work, limit, strict=True))
    middle, against = statistics.median(work), statistics.median(limit)
    return Row(name, _shown(middle, unit), _shown(against, unit), middle / against, f"{ratios[0]:.2f} to {ratios[-1]:.2f}", bar)


def _shown(value: float, unit: str) -> str:
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:,.2f} {unit}"


def print_head() -> None:
    """Print the head of the Markdown table that docs/performance.md keeps."""
    print("| what | work | limit | ratio | spread | bar | met |")
    print("|---|---|---|---|---|---|---|", flush=True)


def print_rows(rows: Sequence[Row]) -> None:
    """Print rows of the table."""
    for one in rows:
        ratio = "" if one.ratio is None else f"{one.ratio:.2f}"
        print(f"| {one.name} | {one.work} | {one.limit} | {ratio} | {one.spread} | {one.bar} | {one.verdict} |", flush=True)
