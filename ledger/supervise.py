"""Child processes under one parent: whichever dies is started again, and all end when the parent does.

A child that keeps dying is started again after 0.2 s, 0.4 s … 30 s; one that has lived a minute starts from there again.
On Linux the kernel ends the children even where the parent was killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

__all__ = ["Child", "Stop", "Waits", "end_with", "end_with_parent", "supervise"]

_FIRST, _LONGEST, _SETTLED = 0.2, 30.0, 60.0
_GRACE = 20.0
_PR_SET_PDEATHSIG = 1


class Waits(Protocol):
    """Whatever can be waited for, as a ``threading.Event``."""

    def wait(self, seconds: float, /) -> bool:
        """Wait so long at most; tell whether it is time to end."""


class Stop:
    """Whether this process has been asked to end, by SIGTERM or SIGINT from now on.

    No ``threading.Event``: a handler runs in the midst of whatever the main thread does. Where that is the event's own
    ``wait``, which holds its lock for a moment, the handler's ``set`` waits for that lock for ever.
    """

    def __init__(self) -> None:
        self._asked = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def is_set(self) -> bool:
        """Tell whether it is time to end."""
        return self._asked

    def wait(self, seconds: float, /) -> bool:
        """Wait so long, a moment; tell whether it is time to end."""
        if not self._asked:
            time.sleep(seconds)
        return self._asked

    def _ask(self, *_: object) -> None:
        self._asked = True


@dataclass
class Child:
    """A process to keep running: ``start`` starts it; ``must``: if its first start fails at once, everything ends."""

    name: str
    start: Callable[[], subprocess.Popen[bytes]]
    must: bool = False
    process: subprocess.Popen[bytes] | None = None
    began: float = 0.0
    wait: float = _FIRST
    again: float = 0.0
    starts: int = field(default=0)

    def run(self) -> None:
        """Start it, now.

        Raises:
            OSError, subprocess.SubprocessError: this machine cannot start a process just now.
        """
        self.began = time.monotonic()
        self.process = self.start()
        self.starts += 1

    def later(self) -> float:
        """Start it again after a pause, which is returned."""
        lived = time.monotonic() - self.began
        self.wait = _FIRST if lived > _SETTLED else min(_LONGEST, self.wait * 2)
        self.process, self.again = None, time.monotonic() + self.wait
        return self.wait


def supervise(children: Sequence[Child], stopping: Waits, *, tell: Callable[[str, int, float], None]) -> int:
    """Keep ``children`` running until ``stopping``; ``tell`` hears name, status and pause of each that ended. Return a status.

    0 where it was stopped; the status of a ``must`` child that never came up.
    """
    try:
        for child in children:
            child.run()
        while not stopping.wait(0.1):
            for child in children:
                status = _look_after(child, tell)
                if status is not None:
                    return status
        return 0
    finally:
        _stop(children)


def _look_after(child: Child, tell: Callable[[str, int, float], None]) -> int | None:
    now = time.monotonic()
    if child.process is None:
        if now >= child.again:
            _start_again(child, tell)
        return None
    status = child.process.poll()
    if status is None:
        return None
    if child.must and child.starts == 1 and status > 0 and now - child.began < 5:
        return status
    tell(child.name, status, child.later())
    return None


def _start_again(child: Child, tell: Callable[[str, int, float], None]) -> None:
    """Start a child again; where the machine has no memory or process left for it, that is no reason to end the other."""
    try:
        child.run()
    except (OSError, subprocess.SubprocessError) as error:
        tell(child.name, getattr(error, "errno", None) or 1, child.later())


def _stop(children: Sequence[Child]) -> None:
    """Ask all to end, and wait; whoever does not is killed."""
    running = [child.process for child in children if child.process is not None and child.process.poll() is None]
    for process in reversed(running):
        process.terminate()
    until = time.monotonic() + _GRACE
    for process in running:
        try:
            process.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def end_with_parent() -> None:
    """Ask the kernel to end this process when its parent is gone; called in the child, before it begins."""
    with contextlib.suppress(OSError, AttributeError):
        if sys.platform == "linux":
            ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def end_with(parent: int) -> Callable[[], None]:
    """Return what a child of ``parent`` calls before it begins, so that it ends with it, also if that was gone already.

    Until it is another program, the child has its parent's handlers: one would take the kernel's signal and forget it.
    """

    def ask() -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        end_with_parent()
        if os.getppid() != parent:
            os._exit(1)

    return ask
