from pathlib import Path

import pytest

from tests.publisher.town import Town


@pytest.fixture
def town(tmp_path: Path) -> Town:
    made = Town(tmp_path)
    made.settle_in()
    return made
