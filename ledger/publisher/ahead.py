"""An iterator's items, taken from it by a thread of its own while whoever is going to want them does something else."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Generator, Iterator
from itertools import islice
from typing import Generic, TypeVar

__all__ = ["Ahead"]

_TOGETHER = 128

Item = TypeVar("Item")


class Ahead(Generic[Item]):
    """The items of a generator, in their order; all of them are taken as soon as they come, and wait here."""

    def __init__(self, items: Generator[Item]) -> None:
        self._taken: queue.SimpleQueue[list[Item] | Exception] = queue.SimpleQueue()
        self._stopped = False
        self._thread = threading.Thread(target=self._take, args=(items,), daemon=True, name="ahead")
        self._thread.start()

    def __iter__(self) -> Iterator[Item]:
        """Yield what has come and what is still coming; an error of the generator is raised where it happened."""
        while taken := self._taken.get():
            if isinstance(taken, Exception):
                raise taken
            yield from taken

    def close(self) -> None:
        """Take nothing more, and close the generator."""
        self._stopped = True
        self._thread.join()

    def _take(self, items: Generator[Item]) -> None:
        try:
            with contextlib.closing(items):
                while not self._stopped and (some := list(islice(items, _TOGETHER))):
                    self._taken.put(some)
        except Exception as error:  # noqa: BLE001 (raised again where the items are wanted)
            self._taken.put(error)
        self._taken.put([])
