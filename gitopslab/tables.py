"""Tables: rows of a query as HTML that a page may hold; every value is escaped.

Notebooks show rows by these, and not by pandas, so that numbers line up, times are UTC, and durations
read as people say them.
"""

from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import TYPE_CHECKING, Any

from gitopslab.metrics.durations import human

if TYPE_CHECKING:
    import pandas as pd


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
        head = "".join(f"<th>{escape(heading)}</th>" for heading in self.headings)
        body = "".join(f"<tr>{''.join(_cell(value) for value in row)}</tr>" for row in self.rows)
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


def table(frame: "pd.DataFrame", columns: dict[str, str], *, most: int = 20) -> Table:
    """Return the first rows of `frame` as a table.

    Args:
        frame: Rows of a query; a column whose name ends in `_seconds` is shown as a length of time.
        columns: Heading by column, in the order they are shown.
        most: Rows that are shown; the note says how many are not.
    """
    shown = frame.head(most)
    values = [[_value(column, value) for value in shown[column].tolist()] for column in columns]
    rest = len(frame) - len(shown)
    note = f"{rest:,} more are not shown." if rest else ""
    return Table(
        tuple(columns.values()), tuple(zip(*values, strict=True)), note or ("" if len(frame) else "None.")
    )


def _value(column: str, value: Any) -> Any:
    if value is None or value != value:  # noqa: PLR0124 - what is not itself is not a number, or not a time
        return None
    return Seconds(float(value)) if column.endswith("_seconds") else value


def _cell(value: Any) -> str:
    if isinstance(value, Seconds) or (isinstance(value, int | float) and not isinstance(value, bool)):
        return f'<td class="number">{escape(_text(value))}</td>'
    kind = ' class="time"' if isinstance(value, datetime) else ""
    return f"<td{kind}>{escape(_text(value))}</td>"


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
