from pathlib import Path

import pytest

from tests.commands.bening import Bening


@pytest.fixture
def bening(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Bening:
    return Bening(tmp_path, capsys, monkeypatch)
