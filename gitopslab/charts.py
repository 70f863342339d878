"""Figures: functions from a query's rows to a plotly Figure; nothing is read or written.

Text from a cluster is escaped on its way into a figure, since plotly reads tags in labels. Colours
are told apart by people who do not see red and green as different (Okabe and Ito, 2008), and backgrounds
are clear, so that a figure sits on a light or a dark page.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from gitopslab.metrics.durations import human
from gitopslab.window import Window

if TYPE_CHECKING:
    import pandas as pd

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8C8C8C")
_COVERAGE = {
    "file": ("from files", "#56B4E9"),
    "list": ("listed", "#009E73"),
    "read": ("read", "#009E73"),
    "watch": ("watched", "#0072B2"),
    "gap": ("gap", "#D55E00"),
    "refused": ("refused", "#E69F00"),
    "unreachable": ("unreachable", "#CC79A7"),
    "not_served": ("not served", "rgba(128, 128, 128, 0.35)"),
}
"""What a state of coverage is called, and its colour; the later ones are drawn over the earlier ones."""

_OTHERS = "others"
_GREY = "#8C8C8C"
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


def durations_over_time(rows: "pd.DataFrame", *, at: str, seconds: str, by: str, label: str) -> go.Figure:
    """Return a figure of single durations over time, on a logarithmic scale, a colour per `by`.

    Args:
        rows: One row a thing that took time; rows without a duration are left out.
        at: Column with the time it ended, UTC.
        seconds: Column with the duration.
        by: Column whose values are told apart; beyond six the rarest are drawn together.
        label: Column that names a single thing, shown when it is pointed at.
    """
    known = rows[rows[seconds].notna()]
    figure = go.Figure()
    for name, group, colour in _groups(known, by):
        figure.add_scatter(
            x=group[at].tolist(),
            # A logarithmic scale has no zero, and the sources' clocks tick in whole seconds.
            y=group[seconds].clip(lower=0.5).tolist(),
            mode="markers",
            name=_shown(name),
            marker={"color": colour, "size": 7, "opacity": 0.75},
            customdata=[
                [_shown(text), human(value)] for text, value in zip(group[label], group[seconds], strict=True)
            ],
            hovertemplate="%{customdata[0]}<br>%{x|%Y-%m-%d %H:%M:%S} UTC<br>%{customdata[1]}<extra></extra>",
        )
    _style(figure)
    figure.update_yaxes(type="log", **_seconds_axis(known[seconds]))
    return figure


def durations_by_group(rows: "pd.DataFrame", *, seconds: str, by: str, most: int = 12) -> go.Figure:
    """Return a figure of how durations are spread in each group, the group with most of them on top.

    A box holds the middle half and its median; the whiskers reach to the 5th and the 95th percentile, as
    the sentence above a figure speaks of percentiles too.

    Args:
        rows: One row a thing that took time; rows without a duration are left out.
        seconds: Column with the duration.
        by: Column that groups them.
        most: Groups that are drawn; the note under the figure says how many are not.
    """
    known = rows[rows[seconds].notna()].assign(**{seconds: lambda frame: frame[seconds].clip(lower=0.5)})
    counts = known[by].value_counts()
    figure = go.Figure()
    for name in reversed(list(counts.index[:most])):
        values = known.loc[known[by] == name, seconds]
        low, q1, median, q3, high = (float(values.quantile(q)) for q in (0.05, 0.25, 0.5, 0.75, 0.95))
        figure.add_box(
            y=[f"{_shown(name)} ({len(values):,})"],
            orientation="h",
            lowerfence=[low],
            q1=[q1],
            median=[median],
            q3=[q3],
            upperfence=[high],
            marker={"color": COLOURS[0]},
            line={"width": 1.5},
            hovertext=[f"5 %: {human(low)}<br>half: {human(median)}<br>95 %: {human(high)}"],
            hoverinfo="text",
            showlegend=False,
        )
    _style(figure, height=110 + 38 * min(most, max(1, len(counts))))
    figure.update_xaxes(type="log", **_seconds_axis(known[seconds]))
    figure.update_yaxes(showgrid=False, automargin=True)
    if len(counts) > most:
        _note(
            figure,
            f"{len(counts) - most:,} more with {int(counts.iloc[most:].sum()):,} durations are not drawn",
        )
    return figure


def counts_by_day(rows: "pd.DataFrame", *, at: str, by: str) -> go.Figure:
    """Return a figure of how many rows fall on each day, UTC, stacked by `by`; days without one are there."""
    import pandas as pd

    figure = go.Figure()
    if len(rows):
        days = rows[at].dt.floor("D")
        every = pd.date_range(days.min(), days.max(), freq="D")
        for name, group, colour in _groups(rows.assign(_day=days), by):
            counts = group["_day"].value_counts().reindex(every, fill_value=0)
            figure.add_bar(
                x=every.tolist(),
                y=counts.tolist(),
                name=_shown(name),
                marker={"color": colour},
                hovertemplate="%{x|%Y-%m-%d}: %{y}<extra>" + _shown(name).replace("%", "&#37;") + "</extra>",
            )
    _style(figure)
    figure.update_layout(barmode="stack", bargap=0.15)
    figure.update_yaxes(rangemode="tozero", tickformat=",d", title=None)
    return figure


def coverage_timeline(
    stretches: Sequence[Mapping[str, Any]],
    rows: Sequence[tuple[str, str]],
    window: Window,
    *,
    most: int = 120,
) -> go.Figure:
    """Return a figure of when each kind of each cluster was watched, looked at, or missed.

    Args:
        stretches: `cluster`, `kind`, `state`, `since`, `until` and `message` of each stretch. One too short
            to be seen is drawn as wide as can be seen.
        rows: Cluster and kind of each row, from the top.
        window: What the figure spans.
        most: Rows that are drawn; the note says how many are not.
    """
    drawn = rows[:most]
    heights, labels = _places(drawn)
    figure = go.Figure()
    for state in _COVERAGE:
        shown = [
            row for row in stretches if row["state"] == state and (row["cluster"], row["kind"]) in heights
        ]
        if shown:
            _add_stretches(figure, state, shown, heights, window)
    _style(figure, height=90 + 17 * max(2, len(labels)))
    figure.update_layout(barmode="overlay")
    figure.update_xaxes(type="date", range=[window.since, window.until])
    figure.update_yaxes(
        showgrid=False,
        range=[0.5 - len(labels), 0.5],
        tickvals=[-place for place in range(len(labels))],
        ticktext=labels,
        tickfont={"size": 11},
    )
    if len(rows) > most:
        _note(figure, f"{len(rows) - most:,} more kinds are not drawn")
    return figure


def _places(rows: Sequence[tuple[str, str]]) -> tuple[dict[tuple[str, str], int], list[str]]:
    """Return how high each row stands, and what stands beside it: a cluster's name above its kinds."""
    heights: dict[tuple[str, str], int] = {}
    labels: list[str] = []
    for place, (cluster, kind) in enumerate(rows):
        if place == 0 or rows[place - 1][0] != cluster:
            labels.append(f"<b>{_shown(cluster)}</b>")
        heights[cluster, kind] = -len(labels)
        labels.append(_shown(kind))
    return heights, labels


def _add_stretches(
    figure: go.Figure,
    state: str,
    shown: Sequence[Mapping[str, Any]],
    heights: Mapping[tuple[str, str], int],
    window: Window,
) -> None:
    """Draw stretches of one state, each a bar that begins at its start."""
    name, colour = _COVERAGE[state]
    least_seconds = window.days * 86_400 / 400
    seconds = [(row["until"] - row["since"]).total_seconds() for row in shown]
    figure.add_bar(
        y=[heights[row["cluster"], row["kind"]] for row in shown],
        base=[row["since"] for row in shown],
        x=[max(each, least_seconds) * 1_000 for each in seconds],
        width=0.7,
        orientation="h",
        name=name,
        marker={"color": colour, "line": {"width": 0}},
        customdata=[
            [
                _shown(f"{row['cluster']}, {row['kind']}"),
                f"{row['since']:%Y-%m-%d %H:%M} to {row['until']:%Y-%m-%d %H:%M} UTC, {human(each)}",
                _shown(row["message"] or ""),
            ]
            for row, each in zip(shown, seconds, strict=True)
        ],
        hovertemplate=f"%{{customdata[0]}}<br>%{{customdata[1]}}<br>%{{customdata[2]}}<extra>{name}</extra>",
    )


def _groups(rows: "pd.DataFrame", by: str) -> "list[tuple[str, pd.DataFrame, str]]":
    """Return the groups with most rows under a colour each, and the rest together in grey."""
    counts = rows[by].value_counts()
    names = sorted(counts.index[: len(COLOURS) - 1], key=str)
    groups = [(str(name), rows[rows[by] == name], COLOURS[place]) for place, name in enumerate(names)]
    rest = rows[~rows[by].isin(names)]
    return [*groups, (f"{len(counts) - len(names)} {_OTHERS}", rest, _GREY)] if len(rest) else groups


def _seconds_axis(seconds: "pd.Series[float]") -> dict[str, Any]:
    """Return ticks at lengths of time that people say, for a logarithmic axis."""
    low, high = (max(0.5, float(seconds.min())), float(seconds.max())) if len(seconds) else (1.0, 60.0)
    ticks = [tick for tick in _TICKS if low / 2 <= tick <= high * 2] or [1]
    return {"tickvals": ticks, "ticktext": [human(tick) for tick in ticks], "minor": {"ticks": ""}}


def _style(figure: go.Figure, *, height: int = 360) -> None:
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 16, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, -apple-system, 'Segoe UI', sans-serif", "size": 13, "color": _GREY},
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


def _note(figure: go.Figure, text: str) -> None:
    figure.add_annotation(
        text=text, showarrow=False, xref="paper", yref="paper", x=1, y=1.02, xanchor="right", yanchor="bottom"
    )


def _shown(text: object, length: int = 80) -> str:
    """Return text from outside as plotly may show it: no tags, no line breaks, not too long."""
    one_line = " ".join(str(text).split())
    return escape(one_line if len(one_line) <= length else f"{one_line[: length - 1]}…", quote=False)
