"""Labels: the code says what it should, people can read the same beneath it, and nothing breaks out of the drawing."""

from __future__ import annotations

import re
import struct
import zlib
from xml.etree import ElementTree

import pytest
import segno

from ledger.desk.labels import label_png, label_svg, label_text
from ledger.errors import FormatError, UsageError
from ledger.records.refs import draw_ref, format_ref
from ledger.words import LANGUAGES, explain, say

REF = draw_ref(lambda bits: 0x123456789ABCD)
URL = "https://bening.example/kota"
SVG = "{http://www.w3.org/2000/svg}"


def modules_of_svg(svg: str) -> list[list[int]]:
    """Draw the path of a label again, module by module."""
    root = ElementTree.fromstring(svg)
    side = int(float(root.attrib["viewBox"].split()[2]))
    grid = [[0] * side for _ in range(side)]
    for x, y, length in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\3z", root.find(f"{SVG}path").attrib["d"]):
        for column in range(int(x), int(x) + int(length)):
            grid[int(y)][column] = 1
    return grid


def modules_of_png(png: bytes, side: int) -> list[list[int]]:
    """Read a black and white PNG: one sample in the middle of each module."""
    width, height, depth, colour = struct.unpack(">IIBB", png[16:26])
    assert (width, depth, colour) == (height, 1, 0)
    data, at, packed = png[8:], 0, b""
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        packed += data[at + 8 : at + 8 + length] if data[at + 4 : at + 8] == b"IDAT" else b""
        at += length + 12
    raw, line, scale = zlib.decompress(packed), (width + 7) // 8, width // side
    rows = [bytes(line)]
    for start in range(0, len(raw), line + 1):
        kind, row = raw[start], raw[start + 1 : start + 1 + line]
        assert kind in (0, 2)  # none, or the difference from the row above
        rows.append(bytes((one + above) % 256 for one, above in zip(row, rows[-1], strict=True)) if kind else row)
    middle = [scale // 2 + scale * one for one in range(side)]
    return [[1 - (rows[y + 1][x // 8] >> (7 - x % 8) & 1) for x in middle] for y in middle]


@pytest.mark.parametrize(("url", "text"), [(URL, f"{URL}/r/{REF}"), (f"{URL}/", f"{URL}/r/{REF}"), (None, REF), ("", REF)])
def test_the_code_leads_to_the_page_or_holds_the_reference(url, text):
    """With a public address the code is the act's page there, otherwise the reference as stored."""
    assert label_text(REF, url) == text
    assert label_text(format_ref(REF).lower(), url) == text


@pytest.mark.parametrize("url", [URL, None])
def test_svg_and_png_draw_the_code_of_that_text(url):
    """Both drawings hold exactly the modules of the standard's code, with four white ones around."""
    expected = [list(row) for row in segno.make_qr(label_text(REF, url), error="m").matrix_iter(border=4)]
    assert modules_of_svg(label_svg(REF, "Kota Contoh", url)) == expected
    assert modules_of_png(label_png(REF, "Kota Contoh", url), len(expected)) == expected
    assert not any(any(row) for row in expected[:4])


def test_people_read_the_reference_the_name_and_what_a_label_is_not():
    """Beneath the code: the reference in groups, the ledger's name, and in both languages that this is no signature."""
    root = ElementTree.fromstring(label_svg(REF, "Buku Akta Kota Contoh", URL))
    lines = [one.text for one in root.findall(f"{SVG}text")]
    assert lines == [format_ref(REF), "Buku Akta Kota Contoh", *(say("label.compare", lang) for lang in LANGUAGES)]
    assert "bukan tanda tangan" in lines[2]
    assert "not a signature" in lines[3]


def test_text_lies_below_the_code_and_inside_the_drawing():
    """No line runs into the code or out of the label, however long the name is."""
    for name in ("K", "Pemerintah Kota Contoh dan seluruh perangkat daerahnya " * 5, "x" * 200):
        root = ElementTree.fromstring(label_svg(REF, name, URL))
        _, _, side, height = map(float, root.attrib["viewBox"].split())
        drawn = root.findall(f"{SVG}text")
        tops = [float(one.attrib["y"]) - float(one.attrib["font-size"]) for one in drawn]
        assert tops == sorted(tops)
        assert tops[0] >= side - 0.01
        assert float(drawn[-1].attrib["y"]) < height
        assert len(drawn) <= 6
        assert all(len(one.text) * float(one.attrib["font-size"]) * 0.55 < side * 1.06 for one in drawn)


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "A & B", 'x"]]>', "a\x1b\x00b\u202e", "\ud800"])
def test_a_name_cannot_break_out_of_the_drawing(name):
    """Whatever the name is, the label is well-formed XML without scripts, links or foreign files."""
    svg = label_svg(REF, name, URL)
    root = ElementTree.fromstring(svg.encode("utf-8"))
    assert {one.tag.removeprefix(SVG) for one in root.iter()} == {"svg", "title", "rect", "path", "text"}
    assert not re.search(r"href|<script|style=|<!", svg)


@pytest.mark.parametrize("url", ["javascript:1", "ftp://x", "https://", "https://a b", "https://x/\n", f"http://{300 * 'x'}"])
def test_an_address_that_is_none_is_refused_in_words(url):
    """Only a short http or https address goes on paper."""
    for draw in (label_svg, label_png):
        with pytest.raises(UsageError) as caught:
            draw(REF, "Kota", url)
        assert caught.value.code == "label-url"
        assert explain(caught.value, "id") != explain(caught.value, "en")


@pytest.mark.parametrize("ref", ["", "123", REF[:-1] + "!", REF[1:] + REF[0], "٤" * 11])
def test_a_mistyped_reference_gets_no_label(ref):
    """The check symbol is looked at before anything is printed."""
    with pytest.raises(FormatError):
        label_svg(ref, "Kota", URL)
