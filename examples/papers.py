"""Sample papers: real one-page PDFs (PDF 1.4, ISO 32000), written by hand so that the demonstration needs nothing else.

A page has a heading, a text and, in the corner, the label of its reference: the QR code and the reference itself.
"""

from __future__ import annotations

import textwrap

import segno

from ledger.records.refs import format_ref

__all__ = ["make_paper"]

_WIDTH, _HEIGHT, _MARGIN = 595, 842, 64
_LINE = 17


def make_paper(city: str, heading: list[str], body: list[str], ref: str | None = None) -> bytes:
    """Return a PDF: ``city`` and ``heading`` centred in bold, ``body`` as paragraphs, the label of ``ref`` at the foot."""
    page = [*_heading([city.upper(), "", *heading]), *_body(body)]
    if ref is not None:
        page += _label(ref)
    return _pdf("\n".join(page).encode("cp1252", "replace"))


def _heading(lines: list[str]) -> list[str]:
    top = _HEIGHT - _MARGIN
    shown = [part for line in lines for part in (textwrap.wrap(line, 58) or [""])]
    return [_text(part, _WIDTH / 2 - len(part) * 3.15, top - n * _LINE, "F2", 12) for n, part in enumerate(shown)]


def _body(paragraphs: list[str]) -> list[str]:
    lines = [line for one in paragraphs for line in [*textwrap.wrap(one, 84), ""]]
    return [_text(line, _MARGIN, _HEIGHT - 230 - n * _LINE, "F1", 11) for n, line in enumerate(lines)]


def _label(ref: str) -> list[str]:
    """Draw the dark modules of the QR code as squares."""
    rows = list(segno.make_qr(ref, error="m").matrix_iter(border=0))
    side = 72 / len(rows)
    squares = [
        f"{_MARGIN + x * side:.2f} {_MARGIN + 30 + (len(rows) - 1 - y) * side:.2f} {side:.2f} {side:.2f} re f"
        for y, row in enumerate(rows)
        for x, dark in enumerate(row)
        if dark
    ]
    return [*squares, _text(format_ref(ref), _MARGIN, _MARGIN + 14, "F2", 9)]


def _text(line: str, x: float, y: float, font: str, size: int) -> str:
    escaped = line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
    return f"BT /{font} {size} Tf {x:.1f} {y:.1f} Td ({escaped}) Tj ET"


def _pdf(content: bytes) -> bytes:
    fonts = "/F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >> " \
            "/F2 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold /Encoding /WinAnsiEncoding >>"  # fmt: skip
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {_WIDTH} {_HEIGHT}] /Contents 4 0 R "
        f"/Resources << /Font << {fonts} >> >> >>".encode("ascii"),
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
    ]
    out, places = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", []
    for number, one in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, one)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    count = len(objects) + 1
    trailer = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (count, len(out))
    return out + b"xref\n0 %d\n0000000000 65535 f \n" % count + table + trailer
