"""The result of a report: what its notebook found, for machines.

A notebook displays one `Result`. It travels in the executed notebook itself, so it is there
whether a report, JupyterLab or papermill's own command ran it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from numbers import Integral, Real
from typing import Any

from gitopslab.errors import ReportError
from gitopslab.window import Window

MIME = "application/vnd.gitopslab.result+json"

_RESERVED = frozenset({"build", "parameters", "report"})


class Result:
    """What a notebook found; displayed, it becomes the report's result.json.

    Args:
        headline: The one sentence to remember, as the index of reports shows it.
        window: The time that was looked at; None when the report has none.
        values: Named numbers, text, times, lists, mappings and dataclasses. A time has a zone and is
            kept as ISO 8601 in UTC, a Decimal as text, and what is not a finite number as null.

    Raises:
        ReportError: A value is of another kind, a time has no zone, or a name is `report`,
            `parameters` or `build`, which the runner adds.
    """

    def __init__(self, headline: str, window: Window | None = None, **values: Any) -> None:
        if taken := sorted(_RESERVED & values.keys()):
            raise ReportError(f"result: {', '.join(taken)} is added when the report runs; use another name")
        self.headline = headline
        self.values = {"headline": headline, "window": plain(window, "window"), **plain(values)}

    def __repr__(self) -> str:
        return self.headline

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {MIME: self.values, "text/plain": repr(self)}


def plain(value: Any, where: str = "result") -> Any:
    """Return `value` as JSON can hold it; `where` is what a message calls it.

    Raises:
        ReportError: It cannot be kept without guessing.
    """
    if hasattr(value, "tolist"):  # numpy's scalars and arrays, pandas' columns
        value = value.tolist()
    if isinstance(value, Enum):
        value = value.value
    if is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray):
        return [plain(item, f"{where}[{place}]") for place, item in enumerate(value)]
    return _scalar(value, where)


def _scalar(value: object, where: str) -> str | bool | int | float | None:
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, date | Decimal):
        return _text(value, where)
    kind = type(value).__name__
    raise ReportError(f"{where}: a {kind} cannot be kept; give numbers, text, times, lists or mappings")


def _text(value: date | Decimal, where: str) -> str | None:
    if value != value:  # noqa: PLR0124 - NaN, and pandas' NaT, differ from themselves
        return None
    if not isinstance(value, datetime):
        return str(value)
    if value.tzinfo is None:
        raise ReportError(f"{where}: {value} has no time zone; times in a result are in UTC")
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
