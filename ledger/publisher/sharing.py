"""Two users: one is the sequencer and owns everything, the other answers HTTP and may write the inbox and staging only.

    HOME 2751 · ledger.db search.db bening.toml lock 640 · inbox.db 660 · staging 2770 · public as it is     (group: the web's)

The web's user may make no file in the home. Reading a database that is in WAL mode takes its ``-wal`` and ``-shm`` files,
which the last writer removes when it ends; so the sequencer's user leaves them (``logs_kept``): the last to close is then
a reader, which removes nothing. Without them the site would stand still whenever no sequencer runs.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from ledger.errors import StoreError
from ledger.publisher.home import Home
from ledger.sqlite import connect, driver

__all__ = ["logs_kept", "share"]

_DATABASES = ("ledger.db", "inbox.db", "search.db")


def share(home: Home) -> None:
    """Give the group of the web's user what it needs; nothing where ``bening.toml`` names no such group.

    Raises:
        StoreError: ``cannot-share``: no such group, or this user is not in it or does not own the home.
    """
    if home.web_group is None:
        return
    import grp

    try:
        group = grp.getgrnam(home.web_group).gr_gid
        for path, mode in _modes(home):
            with contextlib.suppress(FileNotFoundError):
                os.chown(path, -1, group)
                path.chmod(mode)
    except (KeyError, OSError) as error:
        values = {"path": str(home.path), "group": home.web_group, "problem": str(error)}
        raise StoreError(f"{home.path}: {error}", code="cannot-share", **values) from None


@contextlib.contextmanager
def logs_kept(home: Home, *names: str) -> Iterator[None]:
    """Keep the databases' ``-wal`` and ``-shm`` files while whoever writes closes them in the block."""
    with contextlib.ExitStack() as opened:
        for name in (names or _DATABASES) if home.web_group else ():
            with contextlib.suppress(StoreError, driver().Error):  # a database that cannot be opened is told elsewhere
                connection = opened.enter_context(contextlib.closing(connect(home.path / name, read_only=True)))
                connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        yield


def _modes(home: Home) -> Iterator[tuple[Path, int]]:
    yield home.path, 0o2751
    yield home.staging, 0o2770
    yield from ((home.path / name, 0o640) for name in ("bening.toml", "lock", "backup.json", "RESTORED"))
    for database in _DATABASES:
        for suffix in ("", "-wal", "-shm"):
            yield home.path / f"{database}{suffix}", 0o660 if database == "inbox.db" else 0o640
