"""Pages for people, Indonesian and English, complete without JavaScript."""

from __future__ import annotations

from flask import Blueprint, Flask

__all__ = ["blueprints", "error_page", "prepare"]


def blueprints() -> list[Blueprint]:
    """Return the blueprints of all pages."""
    return []


def prepare(app: Flask) -> None:
    """Give the templates what they share."""


def error_page(status: int, sentence: str) -> str:
    """Return the page that tells a refusal."""
    from html import escape

    return f"<!doctype html><title>{status}</title><p>{escape(sentence)}</p>"
