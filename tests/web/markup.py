"""Reads a page strictly, as a careful validator would: what is not closed, nested wrongly or named twice is a fault.

    markup = read(html)
    markup.faults == []        markup.text          the visible words, one space between
    markup.links               (href, words)        markup.headings      (level, words), in their order
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

from flask.testing import FlaskClient

__all__ = ["Element", "Markup", "read", "show"]

_VOID = {"meta", "link", "br", "input", "img", "hr", "wbr", "area", "col", "source"}
_SVG_EMPTY = {"rect", "line", "path", "circle"}
_INLINE = {"a", "b", "span", "code", "mark", "strong", "time", "small", "em"}
_NO_PARAGRAPH = {"p", "div", "ul", "ol", "dl", "table", "section", "h1", "h2", "h3", "form", "figure", "details", "nav", "pre"}


@dataclass
class Element:
    """One element: its name, attributes, and the words inside it."""

    tag: str
    attrs: dict[str, str]
    words: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The words inside, one space between."""
        return " ".join("".join(self.words).split())


class Markup(HTMLParser):
    """What a page holds, and what is wrong with it."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self.faults: list[str] = []
        self._open: list[Element] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element."""
        names = [name for name, _ in attrs]
        if len(set(names)) != len(names):
            self.faults.append(f"<{tag}> has an attribute twice: {names}")
        if tag in _NO_PARAGRAPH and any(one.tag == "p" for one in self._open):
            self.faults.append(f"<{tag}> inside <p>")
        if tag == "a" and any(one.tag == "a" for one in self._open):
            self.faults.append("<a> inside <a>")
        if tag not in _INLINE:
            self.handle_data(" ")
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.elements.append(element)
        if tag not in _VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take an element that closes itself, as SVG has them."""
        if tag not in _SVG_EMPTY:
            self.faults.append(f"<{tag}/> closes itself")
        self.elements.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        """Close the innermost element, which must be this one."""
        if not self._open or self._open[-1].tag != tag:
            self.faults.append(f"</{tag}> closes <{self._open[-1].tag if self._open else ''}>")
            return
        self._open.pop()

    def handle_data(self, data: str) -> None:
        """Add words to every open element."""
        for one in self._open:
            one.words.append(data)

    def close(self) -> None:
        """End the page."""
        super().close()
        self.faults += [f"<{one.tag}> is not closed" for one in self._open]
        ids = [one.attrs["id"] for one in self.elements if "id" in one.attrs]
        self.faults += [f"the id {one} is there twice" for one in set(ids) if ids.count(one) > 1]
        self.faults += [f"<{one.tag}> points to #{target}" for one in self.elements for target in _targets(one) if target not in ids]

    def all(self, tag: str, **attrs: str) -> list[Element]:
        """Return the elements of a name with these attributes."""
        return [one for one in self.elements if one.tag == tag and attrs.items() <= one.attrs.items()]

    def by_id(self, name: str) -> Element:
        """Return the element of an id."""
        return next(one for one in self.elements if one.attrs.get("id") == name)

    @property
    def text(self) -> str:
        """The visible words."""
        return next(one.text for one in self.elements if one.tag == "body")

    @property
    def main(self) -> str:
        """The words of the page itself, without its frame."""
        return self.by_id("main").text

    @property
    def links(self) -> list[tuple[str, str]]:
        """Every link: where it leads, and its words."""
        return [(one.attrs["href"], one.text) for one in self.elements if one.tag == "a" and "href" in one.attrs]

    @property
    def headings(self) -> list[tuple[int, str]]:
        """Every heading: its level, and its words."""
        return [(int(one.tag[1]), one.text) for one in self.elements if re.fullmatch("h[1-6]", one.tag)]


def _targets(element: Element) -> list[str]:
    found = [element.attrs[name] for name in ("for", "aria-labelledby", "aria-describedby", "headers") if name in element.attrs]
    href = element.attrs.get("href", "")
    return [one for value in found for one in value.split()] + ([href[1:]] if href.startswith("#") else [])


def read(html: str) -> Markup:
    """Return what a page holds."""
    markup = Markup()
    markup.feed(html)
    markup.close()
    return markup


def show(client: FlaskClient, path: str, lang: str = "en", status: int | None = 200) -> Markup:
    """Return a page as a reader of that language gets it; with ``status`` None, whatever its status."""
    response = client.get(path, headers={"Accept-Language": lang})
    assert status in (None, response.status_code), (path, response.status_code)
    return read(response.get_data(as_text=True))
