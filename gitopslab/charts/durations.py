"""How long things take: how durations are spread, and how much is not over after how long."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from gitopslab.charts.style import COLOURS, colour_of, faint, note, seconds_axis, shown, style
from gitopslab.metrics.durations import FEWEST, human
from gitopslab.metrics.survival import Survival

if TYPE_CHECKING:
    import pandas as pd

_MOST_STEPS = 300
_LEAST_SECONDS = 0.5
"""A logarithmic scale has no zero, and the sources' clocks tick in whole seconds."""


def durations_by_group(rows: "pd.DataFrame", *, seconds: str, by: str, most: int = 12) -> go.Figure:
    """Return a figure of how durations are spread in each group, the group with most of them on top.

    A box holds the middle half and its median; the whiskers reach to the 5th and the 95th percentile, as
    the sentence above a figure speaks of percentiles too. Fewer than 8 durations are drawn one by one.

    Args:
        rows: One row a thing that took time; rows without a duration are left out.
        seconds: Column with the duration.
        by: Column that groups them.
        most: Groups that are drawn; the note under the figure says how many are not.
    """
    known = rows[rows[seconds].notna()]
    counts = known[by].value_counts().sort_index().sort_values(ascending=False, kind="stable")
    figure = go.Figure()
    for name in reversed(list(counts.index[:most])):
        values = known.loc[known[by] == name, seconds].clip(lower=_LEAST_SECONDS)
        label = f"{shown(name)} ({len(values):,})"
        if len(values) < FEWEST:
            _add_dots(figure, label, values)
        else:
            _add_box(figure, label, values)
    style(figure, height=80 + 32 * min(most, max(1, len(counts))))
    if len(known):
        lengths = known[seconds]
        figure.update_xaxes(type="log", **seconds_axis(float(lengths.min()), float(lengths.max())))
    figure.update_yaxes(showgrid=False, automargin=True)
    if len(counts) > most:
        rest = int(counts.iloc[most:].sum())
        note(figure, f"{len(counts) - most:,} more with {rest:,} durations are not drawn")
    return figure


def survival_curves(curves: Sequence[tuple[str, Survival]]) -> go.Figure:
    """Return a figure of what share is not over after how long, a curve a name, with its 95 % interval."""
    figure = go.Figure()
    colours = colour_of([name for name, _ in curves])
    for name, curve in curves:
        places = _thinned(len(curve.seconds))
        # The curve goes on flat for as long as the oldest open one has lasted.
        ends = [*(curve.seconds[place] for place in places), curve.longest]
        seconds = [max(_LEAST_SECONDS, end) for end in ends]
        low, high, share = (
            [line[place] for place in (*places, -1)] for line in (curve.low, curve.high, curve.still_open)
        )
        line = {"color": colours[name], "shape": "hv"}
        edge = {"x": seconds, "mode": "lines", "line": {**line, "width": 0}, **_silent(name)}
        figure.add_scatter(y=high, **edge)
        figure.add_scatter(y=low, fill="tonexty", fillcolor=faint(colours[name]), **edge)
        counted = f"{curve.ended_count + curve.open_count:,}, {curve.open_count:,} open"
        figure.add_scatter(
            x=seconds,
            y=share,
            mode="lines",
            name=f"{shown(name)} ({counted})",
            legendgroup=shown(name),
            line={**line, "width": 2},
            customdata=[human(each) for each in seconds],
            hovertemplate="after %{customdata}: %{y:.0%} not there yet<extra></extra>",
        )
    style(figure, height=320)
    if curves:
        every = [each for _, curve in curves for each in (*curve.seconds[:1], curve.longest)]
        figure.update_xaxes(type="log", **seconds_axis(min(every), max(every)))
        figure.update_yaxes(tickformat=".0%", range=[0, 1.02])
    return figure


def _silent(name: str) -> dict[str, object]:
    return {"showlegend": False, "hoverinfo": "skip", "legendgroup": shown(name)}


def _thinned(count: int) -> list[int]:
    """Return at most some hundred places out of `count`, the first and the last among them."""
    return sorted({int(place) for place in np.linspace(0, count - 1, min(count, _MOST_STEPS))})


def _add_dots(figure: go.Figure, label: str, values: "pd.Series[float]") -> None:
    figure.add_scatter(
        x=values.tolist(),
        y=[label] * len(values),
        mode="markers",
        marker={"color": COLOURS[0], "size": 7, "opacity": 0.75},
        hovertext=[human(value) for value in values],
        hoverinfo="text",
        showlegend=False,
    )


def _add_box(figure: go.Figure, label: str, values: "pd.Series[float]") -> None:
    low, q1, median, q3, high = (float(values.quantile(q)) for q in (0.05, 0.25, 0.5, 0.75, 0.95))
    figure.add_box(
        y=[label],
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
