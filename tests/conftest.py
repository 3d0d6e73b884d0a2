"""What all tests share: no test depends on whose machine it runs on, or on how busy that is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("bening", deadline=None)
settings.load_profile("bening")


@pytest.fixture(autouse=True)
def _no_leftovers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may use Bening too: their ledger, passphrase and language stay out."""
    for name in [*os.environ]:
        if name.startswith(("BENING_", "LC_")) or name in ("LANG", "LANGUAGE"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")


@pytest.fixture
def shared() -> Path:
    """The folder of vectors and real contracts beside the clone; a test that needs it is skipped where it is not."""
    folder = Path(__file__).parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("no shared folder beside the clone")
    return folder
