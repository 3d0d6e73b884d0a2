"""The programming interface, ``/api/v1``, and the exports and feeds of a filter."""

from __future__ import annotations

from flask import Blueprint

__all__ = ["blueprints"]


def blueprints() -> list[Blueprint]:
    """Return the blueprints of the API and of the feed."""
    return []
