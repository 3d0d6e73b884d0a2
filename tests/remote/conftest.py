from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.remote.client import Client
from ledger.remote.state import Trust
from ledger.tlog.policy import parse_policy
from tests.publisher.town import Town
from tests.remote.site import Site


@pytest.fixture
def town(tmp_path: Path) -> Town:
    town = Town(tmp_path)
    town.settle_in()
    return town


@pytest.fixture
def site(town: Town) -> Iterator[Site]:
    site = Site(town.home)
    yield site
    site.close()


@pytest.fixture
def client(site: Site) -> Client:
    """A client that does not wait: its pauses are kept in ``client.pauses``."""
    pauses: list[float] = []
    client = Client(site.url, sleep=pauses.append)
    client.pauses = pauses  # type: ignore[attr-defined]
    return client


@pytest.fixture
def trust(town: Town) -> Trust:
    policy = parse_policy((town.home.public / "policy").read_bytes())
    return Trust(town.home.founding, policy.check)
