"""What is costly to work out and changes only with the ledger is worked out once for each published size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, current_app

from web.site import Reading

__all__ = ["kept", "prepare"]

T = TypeVar("T")
_KEY = "bening-kept"


def prepare(app: Flask) -> None:
    """Give ``app`` its place for what is kept."""
    app.extensions[_KEY] = {}


def kept(name: str, reading: Reading, make: Callable[[], T]) -> T:
    """Return what ``make`` makes of this published size; made again only when the ledger has grown."""
    store: dict[str, tuple[int, Any]] = current_app.extensions[_KEY]
    size, value = store.get(name, (-1, None))
    if size != reading.size:
        value = make()
        store[name] = (reading.size, value)
    found: T = value
    return found
