"""An executed notebook as one HTML file that reads well, needs no network, and runs no script of its data.

Made with the package's own template and not with nbconvert's exporter, whose templates refer to
CDNs, escape nothing unless told to, and take half a second longer to import.
"""

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from gitopslab.parameters import Value
from gitopslab.reports import markup, result

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).parent / "templates"
_FIGURE = "application/vnd.plotly.v1+json"
_PICTURES = ("image/png", "image/jpeg", "image/svg+xml")
_FIGURE_HEIGHT = 380
"""Pixels of a figure that does not say."""
_CONTENTS_FROM = 5
_LONGEST_TEXT = 100_000
_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


@dataclass(frozen=True)
class About:
    """What a page says about its making.

    Attributes:
        report: Name of the notebook.
        window: The time that was looked at, as the notebook's result says; empty when it does not.
        build_id: Which build of the warehouse was read.
        built_at: When that was built, for people.
        parameters: Value of each parameter.
        version: Version of gitopslab.
    """

    report: str
    window: str
    build_id: str
    built_at: str
    parameters: Mapping[str, Value]
    version: str


@dataclass(frozen=True)
class Output:
    """An output of a cell as the template shows it, by `kind`: figure, html, image, error or text.

    A figure has a height in pixels: its place is kept until it is drawn.
    """

    kind: str
    content: str
    heading: str = ""
    height: int = 0


@dataclass(frozen=True)
class Cell:
    """A cell as the template shows it: `markdown` has content, `code` has a source and outputs."""

    kind: str
    content: str = ""
    source: str = ""
    outputs: Sequence[Output] = ()


def render(notebook: Mapping[str, Any], about: About) -> str:
    """Return the page of an executed notebook; the same notebook gives the same page.

    Args:
        notebook: It as its JSON holds it (nbformat 4).
        about: What the page says about its making.
    """
    headings: list[markup.Heading] = []
    cells = [_cell(cell, headings) for cell in notebook["cells"] if cell["cell_type"] in {"markdown", "code"}]
    outputs = [output for cell in cells for output in cell.outputs]
    contents = [heading for heading in headings if heading.level in {2, 3}]
    return fill(
        "report.html.j2",
        _scripts(outputs),
        title=next((h.text for h in headings if h.level == 1), about.report),
        about=about,
        cells=cells,
        contents=contents if len(contents) >= _CONTENTS_FROM else [],
        contents_after=next((place for place, cell in enumerate(cells) if cell.kind == "markdown"), 0),
    )


def fill(template: str, scripts: Sequence[str], **values: Any) -> str:
    """Return `template` filled in; the page may run `scripts`, and load and run nothing else."""
    return (
        _environment()
        .get_template(template)
        .render(
            policy=_policy(scripts),
            style=Markup(_file("page.css")),  # noqa: S704 - the package's own
            scripts=[Markup(script) for script in scripts],  # noqa: S704 - the package's own, and plotly's
            **values,
        )
    )


def _cell(cell: Mapping[str, Any], headings: list[markup.Heading]) -> Cell:
    source = _joined(cell["source"])
    if cell["cell_type"] == "markdown":
        return Cell("markdown", content=markup.from_markdown(source, headings))
    outputs = [output for raw in cell["outputs"] if (output := _output(raw, headings))]
    return Cell("code", source=source, outputs=outputs)


def _output(raw: Mapping[str, Any], headings: list[markup.Heading]) -> Output | None:
    match raw["output_type"]:
        case "stream":
            return Output("text", _shortened(_joined(raw["text"]))) if raw["name"] == "stdout" else None
        case "error":
            heading = f"{raw['ename']}: {raw['evalue']}"
            return Output("error", _shortened("\n".join(raw["traceback"])), _shortened(heading))
        case _:
            return _shown(raw["data"], headings)


def _shown(data: Mapping[str, Any], headings: list[markup.Heading]) -> Output | None:
    """Return the richest form there is that a page can show safely; a result is not for people."""
    if result.MIME in data:
        return None
    if _FIGURE in data:
        return _figure(data[_FIGURE])
    if "text/html" in data:
        return Output("html", markup.from_html(_joined(data["text/html"])))
    if "text/markdown" in data:
        return Output("html", markup.from_markdown(_joined(data["text/markdown"]), headings))
    if kind := next((kind for kind in _PICTURES if kind in data), None):
        return Output("image", f"data:{kind};base64,{_base64(kind, _joined(data[kind]))}")
    return Output("text", _shortened(_joined(data.get("text/plain", ""))))


def _figure(figure: Mapping[str, Any]) -> Output:
    layout = figure.get("layout") or {}
    height = round(layout.get("height") or _FIGURE_HEIGHT)
    content = {"data": figure.get("data") or [], "layout": {**layout, "height": height}}
    return Output("figure", _script_json(content), height=height)


def _joined(text: str | Sequence[str]) -> str:
    return text if isinstance(text, str) else "".join(text)


def _base64(kind: str, content: str) -> str:
    # A picture that is text, SVG, comes as text; shown as an image it runs no script.
    if kind == "image/svg+xml":
        return base64.b64encode(content.encode("utf-8", "replace")).decode()
    return "".join(content.split())


def _shortened(text: str) -> str:
    text = _ANSI.sub("", text).strip("\n")
    if len(text) <= _LONGEST_TEXT:
        return text
    left_out = len(text) - _LONGEST_TEXT
    return f"{text[:_LONGEST_TEXT]}\n… {left_out:,} more characters are in the notebook beside this page"


def _script_json(value: Any) -> Markup:
    """Return `value` as JSON that cannot end the script element it lies in."""
    text = json.dumps(value, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))  # noqa: S704 - just escaped


def _policy(scripts: Sequence[str]) -> str:
    hashes = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in hashes) or "'none'"
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:;"
        " base-uri 'none'; form-action 'none'"
    )


def _scripts(outputs: Sequence[Output]) -> list[str]:
    """Return what the page has to run, the small before the large, which takes a second."""
    folds = [_file("folds.js")] if any("<details" in output.content for output in outputs) else []
    if not any(output.kind == "figure" for output in outputs):
        return folds
    from plotly.offline import get_plotlyjs

    return [*folds, get_plotlyjs(), _file("figures.js")]


def _file(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined)
