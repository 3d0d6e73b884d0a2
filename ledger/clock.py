"""The clock rule: an entry's time never runs backwards, and a clock that is plainly wrong stops the sequencer.

A ledger cannot take back a time. So it refuses to start when the clock lies 5 minutes behind the last entry or 30 days
ahead of it, and to go on when the clock jumps against the monotonic one, unless an operator accepts it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from ledger.errors import StoreError
from ledger.records.entry import format_time, parse_time

__all__ = ["AHEAD", "BEHIND", "Clock", "check_clock"]

BEHIND = 5 * 60
AHEAD = 30 * 24 * 3600
JUMP = 5 * 60


def check_clock(now: float, last: str) -> None:
    """Accept a clock at ``now`` (POSIX seconds) for a ledger whose last entry is of time ``last``.

    Raises:
        StoreError: ``clock-behind`` or ``clock-ahead``.
    """
    ahead = now - parse_time(last)
    if ahead < -BEHIND:
        raise StoreError(f"the clock is {-ahead:.0f} s behind", code="clock-behind", now=format_time(int(now)), last=last)
    if ahead > AHEAD:
        raise StoreError(f"the clock is {ahead:.0f} s ahead", code="clock-ahead", now=format_time(int(now)), last=last)


@dataclass
class Clock:
    """The wall clock, watched against the monotonic one since it was made; ``accepted``: jumps are allowed."""

    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    accepted: bool = False

    def __post_init__(self) -> None:
        self._offset = self.wall() - self.monotonic()

    def now(self) -> int:
        """Return POSIX seconds.

        Raises:
            StoreError: ``clock-jumped``.
        """
        wall = self.wall()  # looked at once: what is judged is what is returned
        jumped = wall - self.monotonic() - self._offset
        if abs(jumped) > JUMP and not self.accepted:
            raise StoreError(f"the clock jumped by {jumped:.0f} s", code="clock-jumped", seconds=round(jumped))
        return int(wall)
