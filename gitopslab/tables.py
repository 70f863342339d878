"""Tables: rows of a query as HTML that a page may hold; every value is escaped.

Notebooks show rows by these, and not by pandas, so that numbers line up, times are UTC, and durations
read as people say them.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from html import escape
from typing import TYPE_CHECKING, Any

from gitopslab.metrics.durations import QUANTILES, DurationSummary, Estimate, human
from gitopslab.metrics.ratios import Rate, Share

if TYPE_CHECKING:
    import pandas as pd


QUANTILE_HEADINGS = ("delivered", "open", "half within", "3 in 4", "9 in 10", "19 in 20")
"""What stands above `quantile_cells`."""

_INSIDE_LENGTH = re.compile(r"(?<=\d) (?=(?:d|h|min|s)\b)|(?<=[dhn]) (?=\d)")
_NUMBER = ' class="number"'


@dataclass(frozen=True)
class Table:
    """Rows under headings; a notebook shows it as a table.

    Attributes:
        headings: What stands above each column.
        rows: The values, one sequence a row: text, numbers, times, booleans, durations or None.
        note: What stands below, such as how many rows are not shown.
    """

    headings: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    note: str = ""

    def _repr_html_(self) -> str:
        columns = list(zip(*self.rows, strict=True)) or [()] * len(self.headings)
        is_number = [any(map(_is_number, column)) for column in columns]
        head = "".join(
            f"<th{_NUMBER if number else ''}>{escape(heading)}</th>"
            for heading, number in zip(self.headings, is_number, strict=True)
        )
        body = "".join(f"<tr>{''.join(map(_cell, row, is_number))}</tr>" for row in self.rows)
        note = f'<p class="muted">{escape(self.note)}</p>' if self.note else ""
        whole = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        return f'<div class="scroll">{whole}</div>{note}'

    def __repr__(self) -> str:
        return "\n".join("\t".join(_text(value) for value in row) for row in (self.headings, *self.rows))


@dataclass(frozen=True)
class Seconds:
    """A length of time in a table."""

    value: float

    def __str__(self) -> str:
        return human(self.value)


@dataclass(frozen=True)
class Sentences:
    """What there is to say, a line each; a notebook shows it as a list, whatever names it holds.

    Attributes:
        lines: The sentences.
    """

    lines: tuple[str, ...]

    def _repr_html_(self) -> str:
        if len(self.lines) == 1:
            return f"<p>{escape(self.lines[0])}</p>"
        return f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in self.lines)}</ul>"

    def __repr__(self) -> str:
        return "\n".join(self.lines)


@dataclass(frozen=True)
class Headline:
    """The sentence to remember; a notebook shows it larger than others.

    Attributes:
        text: The sentence.
        below: What stands below it, smaller.
    """

    text: str
    below: str = ""

    def _repr_html_(self) -> str:
        below = f'<p class="muted">{escape(self.below)}</p>' if self.below else ""
        return f'<p class="headline">{escape(self.text)}</p>{below}'

    def __repr__(self) -> str:
        return "\n".join(line for line in (self.text, self.below) if line)


@dataclass(frozen=True)
class Link:
    """Text that leads to an address: in a table, or as a line of its own.

    Attributes:
        text: What is shown.
        address: A place in the same page, after `#`, or an http or https URL.
    """

    text: str
    address: str

    def _repr_html_(self) -> str:
        return f"<p>{_anchor(self)}</p>"

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Fold:
    """What is folded away under a line; a notebook shows it closed.

    Attributes:
        summary: The line.
        parts: Tables, sentences, links and other folds.
        anchor: What a link to it names, after `#`; empty for none.
    """

    summary: str
    parts: "tuple[Table | Sentences | Link | Fold, ...]"
    anchor: str = ""

    def _repr_html_(self) -> str:
        inside = "".join(part._repr_html_() for part in self.parts)
        # Browsers open the fold that holds what a link leads to, but not one that is what it leads to.
        place = f'<div id="{escape(self.anchor)}">{inside}</div>' if self.anchor else inside
        return f"<details><summary>{escape(self.summary)}</summary>{place}</details>"

    def __repr__(self) -> str:
        return "\n".join([self.summary, *map(repr, self.parts)])


@dataclass(frozen=True)
class Told:
    """A value in a table with what stands below it, smaller: an interval, or counts."""

    value: str
    below: str

    def __str__(self) -> str:
        return f"{self.value} ({self.below})" if self.below else self.value


def told(value: Rate | Share) -> Told:
    """Return the cell of a rate or a share, its counts and interval below."""
    return Told(value.short, value.detail)


def sentences(items: Iterable[object], otherwise: str) -> Sentences:
    """Return the sentence of each of `items`, or `otherwise` for none."""
    return Sentences(tuple(str(item) for item in items) or (otherwise,))


def quantile_cells(duration: DurationSummary) -> tuple[object, ...]:
    """Return the cells that show a duration: how many, still open, and its four quantiles.

    The quantiles of fewer than 8 durations are not shown; the durations stand in their place.
    """
    upper = (duration.quantile(share) for share in QUANTILES[1:])
    return (duration.n, duration.open_count, half(duration), *upper)


def half(duration: DurationSummary | None) -> Estimate | Told | None:
    """Return the cell that shows what half of a number of durations take, or why that is not known."""
    if duration is None or not duration.n + duration.open_count:
        return None
    if estimate := duration.quantile(0.5):
        return estimate
    if not duration.few:
        return Told("not yet known", f"{duration.n:,} arrived, {duration.open_count:,} open")
    ends = " to ".join(human(each) for each in dict.fromkeys((duration.few[0], duration.few[-1])))
    return Told(f"too few: {duration.n:,}", ends)


def table(frame: "pd.DataFrame", columns: dict[str, str], *, most: int = 20, note: str = "") -> Table:
    """Return the first rows of `frame` as a table.

    Args:
        frame: Rows of a query; a column whose name ends in `_seconds` is shown as a length of time.
        columns: Heading by column, in the order they are shown.
        most: Rows that are shown; the note says how many are not.
        note: What else stands below.
    """
    shown = frame.head(most)
    values = [[_value(column, value) for value in shown[column].tolist()] for column in columns]
    rest = len(frame) - len(shown)
    if not len(frame):
        return Table(tuple(columns.values()), (), "None.")
    notes = [f"{rest:,} more are not shown." if rest else "", note]
    return Table(
        tuple(columns.values()), tuple(zip(*values, strict=True)), " ".join(part for part in notes if part)
    )


def _value(column: str, value: Any) -> Any:
    if value is None or value != value:  # noqa: PLR0124 - what is not itself is not a number, or not a time
        return None
    return Seconds(float(value)) if column.endswith("_seconds") else value


def _cell(value: Any, is_number: bool) -> str:  # noqa: FBT001 - of the column that it stands in
    if isinstance(value, Estimate):
        value = Told(human(value.seconds), value.interval)
    if isinstance(value, Told):
        lines = [line for line in value.below.split("; ") if line]
        below = "".join(f'<br><small class="muted">{escape(_unbroken(line))}</small>' for line in lines)
        return f"<td{_NUMBER}>{escape(value.value)}{below}</td>"
    if isinstance(value, Link):
        return f"<td>{_anchor(value)}</td>"
    kind = _NUMBER if is_number else ' class="time"' if isinstance(value, datetime) else ""
    return f"<td{kind}>{escape(_text(value))}</td>"


def _anchor(link: Link) -> str:
    outside = "" if link.address.startswith("#") else ' rel="noopener noreferrer"'
    return f'<a href="{escape(link.address)}"{outside}>{escape(link.text)}</a>'


def _unbroken(text: str) -> str:
    """Return `text` with spaces inside lengths of time that no line ends at."""
    return _INSIDE_LENGTH.sub("\N{NO-BREAK SPACE}", text)


def _is_number(value: Any) -> bool:
    return isinstance(value, Estimate | Told | Seconds | int | float | Decimal) and not isinstance(
        value, bool
    )


def _text(value: Any) -> str:
    if value is None:
        return "\N{EN DASH}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}"
    return str(value)
