"""Markdown and HTML that carry strings from clusters, made into HTML that can do nothing but be read."""

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from bleach.sanitizer import Cleaner  # type: ignore[import-untyped]  # bleach ships no types

_TEXT = {
    "a",
    "abbr",
    "b",
    "br",
    "code",
    "del",
    "em",
    "i",
    "kbd",
    "s",
    "samp",
    "small",
    "span",
    "strong",
    "sub",
    "sup",
}
_BLOCKS = {"blockquote", "dd", "details", "div", "dl", "dt", "hr", "li", "ol", "p", "pre", "summary", "ul"}
_TABLES = {"caption", "col", "colgroup", "table", "tbody", "td", "tfoot", "th", "thead", "tr"}
_HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
_CLASSES = {"bad", "dataframe", "good", "headline", "muted", "number", "scroll", "time", "warning"}
_ATTRIBUTES = {
    "a": {"href", "title"},
    "abbr": {"title"},
    "details": {"open"},
    "ol": {"start"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
}
_OUTSIDE = "noopener noreferrer"
# Anchors of the package's own: a name from outside must not stand for another part of the page.
_ANCHOR = re.compile(r"change-[0-9a-f]{1,12}")
_PROTOCOLS = {"http", "https", "mailto"}
# What pandas and polars put before their tables; the page has a style of its own.
_STYLE = re.compile(r"<style\b.*?</style\s*>", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Heading:
    """A heading of a page: its level (1 to 6), its text and the anchor that links to it."""

    level: int
    text: str
    anchor: str


def from_html(text: str) -> Markup:
    """Return `text` with only tags, attributes and links that a report's tables need.

    Style sheets go; any other tag becomes text, so that nothing a person wrote vanishes.
    """
    return Markup(_cleaner(with_anchors=False).clean(_STYLE.sub("", text)))  # noqa: S704 - just sanitised


def from_markdown(text: str, headings: list[Heading]) -> Markup:
    """Return `text` as HTML and add what headings it has to `headings`.

    HTML in it becomes text and a picture its description: markdown is how sentences with names from
    clusters in them are shown.
    """
    import mistune

    class Renderer(mistune.HTMLRenderer):
        def heading(self, text: str, level: int, **_: Any) -> str:
            words = Markup(text).striptags()  # noqa: S704 - taken out of HTML, to be escaped again
            heading = Heading(level, words, _anchor(words, {h.anchor for h in headings}))
            headings.append(heading)
            return f'<h{level} id="{heading.anchor}">{text}</h{level}>\n'

        def image(self, text: str, url: str, title: str | None = None) -> str:  # noqa: ARG002 - mistune's
            return str(escape(text))

        def table(self, text: str) -> str:
            return f'<div class="scroll"><table>\n{text}</table></div>\n'

        def table_cell(self, text: str, align: str | None = None, head: bool = False) -> str:  # noqa: FBT001, FBT002 - mistune's
            tag, shown = ("th" if head else "td"), (' class="number"' if align == "right" else "")
            return f"<{tag}{shown}>{text}</{tag}>\n"

    convert = mistune.create_markdown(renderer=Renderer(escape=True), plugins=["strikethrough", "table"])
    return Markup(_cleaner(with_anchors=True).clean(str(convert(text))))  # noqa: S704 - just sanitised


@cache
def _cleaner(*, with_anchors: bool) -> "Cleaner":
    from bleach.sanitizer import Cleaner

    def is_allowed(tag: str, name: str, value: str) -> bool:
        if name == "class":
            return _CLASSES.issuperset(value.split())
        if (tag, name) == ("a", "rel"):
            return value == _OUTSIDE
        if (tag, name) == ("div", "id"):
            return _ANCHOR.fullmatch(value) is not None
        return name in _ATTRIBUTES.get(tag, ()) or (with_anchors and name == "id" and tag in _HEADINGS)

    return Cleaner(
        tags=_TEXT | _BLOCKS | _TABLES | _HEADINGS, attributes=is_allowed, protocols=_PROTOCOLS, strip=False
    )


def _anchor(words: str, taken: set[str]) -> str:
    stem = "section-" + (re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-") or "untitled")
    anchor, number = stem, 1
    while anchor in taken:
        number += 1
        anchor = f"{stem}-{number}"
    return anchor
