"""What all figures share: colours, axes of lengths of time, and text from outside made harmless."""

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from gitopslab.metrics.durations import human

if TYPE_CHECKING:
    import pandas as pd

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8C8C8C")
_OTHERS = "others"
GREY = "#8C8C8C"
_GRID = "rgba(128, 128, 128, 0.22)"
_TICKS = (
    1,
    2,
    5,
    10,
    30,
    60,
    120,
    300,
    600,
    1_800,
    3_600,
    7_200,
    21_600,
    43_200,
    86_400,
    259_200,
    604_800,
    2_592_000,
)


def colour_of(names: Sequence[str]) -> dict[str, str]:
    """Return a colour for each name, the same in every figure that tells the same names apart."""
    return {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(sorted(names))}


def faint(colour: str) -> str:
    """Return `colour`, one of `COLOURS`, as what lies behind a line of it."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, 0.18)"


def groups(rows: "pd.DataFrame", by: str) -> "list[tuple[str, pd.DataFrame, str]]":
    """Return the groups with most rows under a colour each, and the rest together in grey."""
    counts = rows[by].value_counts()
    names = sorted(counts.index[: len(COLOURS) - 1], key=str)
    groups = [(str(name), rows[rows[by] == name], COLOURS[place]) for place, name in enumerate(names)]
    rest = rows[~rows[by].isin(names)]
    return [*groups, (f"{len(counts) - len(names)} {_OTHERS}", rest, GREY)] if len(rest) else groups


def seconds_axis(low: float, high: float) -> dict[str, Any]:
    """Return ticks at lengths of time that people say, for a logarithmic axis."""
    ticks = [tick for tick in _TICKS if max(0.5, low) / 2 <= tick <= high * 2] or [1]
    return {"tickvals": ticks, "ticktext": [human(tick) for tick in ticks], "minor": {"ticks": ""}}


def style(figure: go.Figure, *, height: int = 360) -> None:
    """Give `figure` its height, font, colours and margins; one without anything in it says so."""
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 16, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, -apple-system, 'Segoe UI', sans-serif", "size": 13, "color": GREY},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        hoverlabel={"align": "left"},
        colorway=list(COLOURS),
    )
    figure.update_xaxes(gridcolor=_GRID, zeroline=False, automargin=True)
    figure.update_yaxes(gridcolor=_GRID, zeroline=False, automargin=True)
    if not figure.data:
        figure.update_layout(
            height=120,
            annotations=[
                {
                    "text": "Nothing to draw.",
                    "showarrow": False,
                    "xref": "paper",
                    "yref": "paper",
                    "x": 0.5,
                    "y": 0.5,
                }
            ],
            xaxis={"visible": False},
            yaxis={"visible": False},
        )


def note(figure: go.Figure, text: str) -> None:
    """Put `text` above the right end of `figure`."""
    figure.update_layout(margin_t=40)
    figure.add_annotation(
        text=text, showarrow=False, xref="paper", yref="paper", x=1, y=1.02, xanchor="right", yanchor="bottom"
    )


def shown(text: object, length: int = 80) -> str:
    """Return text from outside as plotly may show it: no tags, no line breaks, not too long."""
    one_line = " ".join(str(text).split())
    return escape(one_line if len(one_line) <= length else f"{one_line[: length - 1]}…", quote=False)
