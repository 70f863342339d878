"""How commands print: tables and progress bars for people, JSON and CSV for programs.

Every value may come from a cluster: control characters are shown, not obeyed, and nothing in a
value is read as markup.
"""

import csv
import io
import json
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.progress import Progress

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def plain(value: Any) -> str:  # noqa: PLR0911 - one line a type
    """Return `value` on one line, for a terminal: times in UTC, numbers grouped, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S").removesuffix(" 00:00:00")
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.3f}".rstrip("0").rstrip(".")
    if isinstance(value, Decimal):
        text = f"{value:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return _CONTROL.sub(lambda found: repr(found[0])[1:-1], " ".join(str(value).split("\n")))


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, title: str = "") -> None:
    """Print rows as a table; whole when stdout is no terminal."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    drawn = Table(title=title or None, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for place, column in enumerate(columns):
        number = any(
            isinstance(row[place], int | float | Decimal) and not isinstance(row[place], bool) for row in rows
        )
        drawn.add_column(column, justify="right" if number else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(plain(value)) for value in row))
    console().print(drawn)


def console() -> Any:
    """Return a console on stdout: as wide as the terminal, or wide enough for anything in a pipe."""
    from rich.console import Console

    return Console() if sys.stdout.isatty() else Console(width=200, soft_wrap=False)


def as_json(rows: Sequence[dict[str, Any]]) -> str:
    """Return rows as a JSON array, times in ISO 8601 and exact numbers as strings."""
    return json.dumps(rows, indent=2, default=_json, ensure_ascii=False)


def as_csv(columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> str:
    """Return rows as CSV; text that a spreadsheet would run as a formula gets an apostrophe in front."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row[column]) for column in columns])
    return out.getvalue()


@contextmanager
def progress() -> "Iterator[Progress]":
    """Show progress on stderr while the block runs, if that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()
    ) as shown:
        yield shown


def _json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return str(value)


def _cell(value: Any) -> Any:
    if isinstance(value, datetime | Decimal):
        return _json(value)
    if isinstance(value, list | dict):
        value = json.dumps(value, default=_json, ensure_ascii=False)
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
