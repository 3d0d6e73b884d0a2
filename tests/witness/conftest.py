"""A witness in a folder, with keys that are made once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.clock import Clock
from ledger.keyfile import LogKeys, load_log_keys, new_log_keys
from ledger.witness.home import create_home
from ledger.witness.state import WitnessState, open_state
from ledger.witness.witness import Witness
from tests.witness.logs import Log

NAME, NOW = "saksi.example/w1", 1_795_000_000


class Wall:
    """A clock that a test moves: the wall by itself, or both together."""

    def __init__(self) -> None:
        self.wall, self.monotonic = float(NOW), 0.0

    def clock(self) -> Clock:
        """Return a clock made now."""
        return Clock(lambda: self.wall, lambda: self.monotonic)

    def pass_(self, seconds: float) -> None:
        """Let time pass."""
        self.wall, self.monotonic = self.wall + seconds, self.monotonic + seconds


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> LogKeys:
    """A witness's keys."""
    path = tmp_path_factory.mktemp("keys") / "witness.pem"
    new_log_keys(path, None, unencrypted=True)
    return load_log_keys(path, None)


@pytest.fixture
def log() -> Log:
    """A log."""
    return Log()


@pytest.fixture
def wall() -> Wall:
    """A clock."""
    return Wall()


@pytest.fixture
def folder(tmp_path: Path, keys: LogKeys) -> Path:
    """A witness's folder."""
    create_home(tmp_path / "w", NAME, tmp_path / "witness.pem", keys)
    return tmp_path / "w"


@pytest.fixture
def state(folder: Path, log: Log) -> Iterator[WitnessState]:
    """Its open state, which watches ``log``."""
    with open_state(folder) as opened:
        with opened.transaction():
            opened.add_log(log.origin, [log.key])
        yield opened


@pytest.fixture
def witness(state: WitnessState, keys: LogKeys, wall: Wall) -> Witness:
    """The witness on it."""
    return Witness(state, NAME, keys, wall.clock())
