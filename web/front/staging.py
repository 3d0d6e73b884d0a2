"""Room in ``staging/``: how much documents that wait may take, counted before their bytes are read."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator

from ledger.durable import check_free_space
from ledger.errors import StoreError
from ledger.publisher.home import Home

__all__ = ["Reservation", "Staging"]

_LOOK_EVERY = 5.0


class Staging:
    """The staging folder of one home, with a quota in bytes."""

    def __init__(self, home: Home, quota: int) -> None:
        self.home, self.quota = home, quota
        self.reserved = 0
        self._used, self._looked = 0, -_LOOK_EVERY

    @contextlib.asynccontextmanager
    async def reservation(self) -> AsyncIterator[Reservation]:
        """Give a request its reservation, which is over when the request is."""
        one = Reservation(self)
        try:
            yield one
        finally:
            self.reserved -= one.size

    async def used(self) -> int:
        """Return how many bytes lie there, as counted a few seconds ago at most."""
        if time.monotonic() - self._looked > _LOOK_EVERY:
            self._looked = time.monotonic()
            self._used = await asyncio.to_thread(_measure, str(self.home.staging))
        return self._used


class Reservation:
    """What one request may add to the folder."""

    def __init__(self, staging: Staging) -> None:
        self.staging, self.size = staging, 0

    async def make_room(self, size: int) -> None:
        """Reserve ``size`` bytes.

        Raises:
            StoreError: ``busy`` (the quota is used up; it frees itself), ``disk-full``.
        """
        if not size:
            return
        staging = self.staging
        await asyncio.to_thread(check_free_space, staging.home.staging, size + staging.reserved)
        if await staging.used() + staging.reserved + size > staging.quota:
            raise StoreError("the staging folder is full", code="busy", retry_after=60)
        staging.reserved += size
        self.size += size


def _measure(folder: str) -> int:
    total = 0
    with os.scandir(folder) as found:
        for one in found:
            with contextlib.suppress(FileNotFoundError):
                total += one.stat(follow_symlinks=False).st_size
    return total
