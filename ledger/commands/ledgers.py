"""Which ledger a command speaks of: ``-L``, then ``BENING_LEDGER``, then the settings' default."""

from __future__ import annotations

import os
from pathlib import Path

from ledger.commands.common import Session
from ledger.errors import UsageError
from ledger.publisher.home import Home
from ledger.settings import Settings

__all__ = ["home_of"]


def home_of(here: Session) -> Home:
    """Return the home folder that this run speaks of.

    Raises:
        UsageError: a URL or a published folder: this needs the ledger's own machine.
        StoreError: no home.
    """
    location = Settings.load(os.environ).locate(here.ledger)
    if location.kind == "url":
        raise UsageError(f"{location.value} is not on this machine", code="needs-home", ledger=location.value)
    return Home.open(Path(location.value))
