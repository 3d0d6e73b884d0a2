"""Labels for paper: a QR code with the act's reference, put on before the paper is signed and hashed.

    ▄▄▄ ▄ ▄▄▄
    █▄█ ▀ █▄█        https://log.example/r/19JVNJXPQJS, or the bare reference where the ledger has no public address
    ▄▄▄ █ ▀▄▀
    19JV-NJXP-QJS    for whoever types instead of scanning
    Kota Contoh
    bandingkan, bukan tanda tangan / scan to compare; not a signature

A label proves nothing by itself: anybody can print one. It leads to the record, and the record names the file.
QR codes are ISO/IEC 18004, error correction M, never Micro QR, which telephones do not read.
"""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape as escape_xml

from ledger.errors import UsageError
from ledger.records.refs import format_ref, parse_ref
from ledger.words import LANGUAGES, escape, say

if TYPE_CHECKING:
    import segno

__all__ = ["label_png", "label_svg", "label_text"]

_URL = re.compile(r"https?://[!-~]{1,200}", re.ASCII)
_QUIET = 4  # modules of white around the code, as the standard asks
_WIDTH_MM = 32
_SYMBOLS_A_LINE = 34
_MOST_LINES = 3
_PNG_SCALE = 8


def label_text(ref: str, url: str | None) -> str:
    """Return what the QR code of ``ref`` says: the page of the act below ``url``, or the reference itself.

    Raises:
        FormatError: ``ref`` is not a reference.
        UsageError: ``url`` is not a short http or https address.
    """
    stored = parse_ref(ref)
    if not url:
        return stored
    if not _URL.fullmatch(url):
        raise UsageError(f"{url[:80]!r} is not an http or https address", code="label-url", url=url[:80])
    return f"{url.rstrip('/')}/r/{stored}"


def label_svg(ref: str, name: str, url: str | None) -> str:
    """Return a label as one self-contained SVG document: the code, ``ref`` in groups, and the ledger's ``name``.

    Raises:
        FormatError, UsageError: as ``label_text``.
    """
    code = _code(ref, url)
    side = float(code.symbol_size(border=_QUIET)[0])
    lines = [*_lines(ref, name)]
    unit = side / 100  # type sizes are in hundredths of the width
    height = side + sum(size for size, _, _ in lines) * unit * 1.35 + 2 * unit
    body = "".join(_text(lines, side, unit))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH_MM}mm" height="{_WIDTH_MM * height / side:.2f}mm" '
        f'viewBox="0 0 {side:g} {height:.2f}"><title>{format_ref(parse_ref(ref))}</title>'
        f'<rect width="100%" height="100%" fill="#fff"/>'
        f'<path d="{_path(code)}" fill="#000" shape-rendering="crispEdges"/>{body}</svg>\n'
    )


def label_png(ref: str, name: str, url: str | None) -> bytes:
    """Return the QR code alone as a black and white PNG; it has no letters, so ``name`` is not drawn.

    Raises:
        FormatError, UsageError: as ``label_text``.
    """
    file = io.BytesIO()
    _code(ref, url).save(file, kind="png", scale=_PNG_SCALE, border=_QUIET)
    return file.getvalue()


def _code(ref: str, url: str | None) -> segno.QRCode:
    import segno

    return segno.make_qr(label_text(ref, url), error="m")


def _path(code: segno.QRCode) -> str:
    """Return the dark modules as one path, a rectangle for each run of a row."""
    runs = (
        f"M{match.start()} {y}h{len(match[0])}v1h-{len(match[0])}z"
        for y, row in enumerate(code.matrix_iter(border=_QUIET))
        for match in re.finditer(rb"\x01+", bytes(row))
    )
    return "".join(runs)


def _lines(ref: str, name: str) -> Iterator[tuple[float, str, str]]:
    """Yield the lines beneath the code: size in hundredths of the width, type face, text."""
    yield 11.5, 'font-family="monospace" font-weight="bold"', format_ref(parse_ref(ref))
    for line in textwrap.wrap(escape(name), _SYMBOLS_A_LINE, max_lines=_MOST_LINES, placeholder=" …"):
        yield 5.2, 'font-family="sans-serif"', line
    for lang in LANGUAGES:
        yield 4.4, 'font-family="sans-serif"', say("label.compare", lang)


def _text(lines: Iterable[tuple[float, str, str]], side: float, unit: float) -> Iterator[str]:
    baseline = side
    for size, face, text in lines:
        baseline += size * unit
        yield (
            f'<text x="{side / 2:g}" y="{baseline:.2f}" font-size="{size * unit:.2f}" {face} text-anchor="middle">'
            f"{escape_xml(text)}</text>"
        )
        baseline += size * unit * 0.35
