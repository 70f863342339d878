"""How throughput, quality and limits go with how many sessions run at once."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from gitopslab.charts.style import COLOURS, GREY, faint, note, shown, style
from gitopslab.metrics.quality_levels import QualityLevel
from gitopslab.metrics.run_shares import RunShare
from gitopslab.metrics.scaling_law import EXTRAPOLATION_LIMIT, Interval, ScalingFit
from gitopslab.metrics.steady_state import SteadyWindow

_POINTS = 80
_ABOVE = 16
"""Pixels that a label needs to be clear of a bar at the top."""

_TAGS = {"measured": COLOURS[0], "calibrated": COLOURS[2], "assumed": COLOURS[1]}


def throughput_curve(
    fit: ScalingFit | None, windows: Sequence[SteadyWindow], marks: Mapping[str, float]
) -> go.Figure:
    """Return a figure of completed sessions an hour against concurrency, as far as anything may be said.

    The curve is drawn in full where it was observed and dotted beyond; its interval lies behind it. Dots are
    steady windows.

    Args:
        fit: The law; None draws windows only.
        windows: Steady windows.
        marks: Concurrencies to mark, by what they are.
    """
    figure = go.Figure()
    if fit is not None:
        _add_curve(figure, fit)
    if windows:
        figure.add_scatter(
            x=[window.concurrency for window in windows],
            y=[window.throughput for window in windows],
            mode="markers",
            name="steady windows",
            marker={"color": COLOURS[1], "size": 8},
            customdata=[shown(window) for window in windows],
            hovertemplate="%{customdata}<extra></extra>",
        )
    style(figure)
    if figure.data:
        _mark(figure, marks)
        figure.update_xaxes(title="sessions at once", rangemode="tozero")
        figure.update_yaxes(title="completed an hour", rangemode="tozero")
    return figure


def quality_by_concurrency(levels: Sequence[QualityLevel], marks: Mapping[str, float]) -> go.Figure:
    """Return a figure of resolved and failed shares by level of concurrency, with their 95 % intervals.

    Args:
        levels: What came of instances at each level.
        marks: Concurrencies to mark, by what they are.
    """
    figure = go.Figure()
    series: tuple[tuple[str, str], ...] = (
        ("resolved", "resolved of answered"),
        ("infrastructure", "failed by infrastructure"),
        ("timeout", "out of time"),
        ("stalled", "stalled"),
    )
    for place, (attribute, name) in enumerate(series):
        shares: list[RunShare] = [getattr(level, attribute) for level in levels]
        if any(share.yes_count for share in shares):
            _add_shares(figure, name, levels, shares, COLOURS[place])
    style(figure)
    if figure.data:
        _mark(figure, marks)
        figure.update_xaxes(title="sessions at once", rangemode="tozero")
        figure.update_yaxes(tickformat=".0%", rangemode="tozero")
    return figure


def concurrency_layers(layers: Sequence[tuple[str, int, str, bool]], asked: int) -> go.Figure:
    """Return a figure of how many at once each layer allows, the least on top.

    Args:
        layers: What each bounds, how many it allows, how sure that is (measured, calibrated, assumed), and
            whether it binds; one that is only shown is faint.
        asked: What was asked for, as a line.
    """
    figure = go.Figure()
    ordered = sorted(layers, key=lambda layer: (-layer[1], layer[0]))
    for tag, colour in _TAGS.items():
        rows = [layer for layer in ordered if layer[2] == tag]
        if rows:
            figure.add_bar(
                y=[shown(name) for name, *_ in rows],
                x=[value for _, value, *_ in rows],
                orientation="h",
                name=tag,
                marker={"color": [colour if binds else faint(colour) for *_, binds in rows]},
                text=[f"{value:,}" for _, value, *_ in rows],
                textposition="outside",
                cliponaxis=False,
                hovertemplate="%{y}: %{x}<extra></extra>",
            )
    style(figure, height=90 + 26 * max(2, len(ordered)))
    if ordered:
        figure.update_yaxes(
            categoryorder="array", categoryarray=[shown(name) for name, *_ in ordered], showgrid=False
        )
        figure.update_xaxes(rangemode="tozero", title="sessions at once")
        _mark(figure, {"asked for": asked}, above=_ABOVE)
        if not all(binds for *_, binds in ordered):
            note(figure, "faint: shown, and binds nothing")
    return figure


def _add_curve(figure: go.Figure, fit: ScalingFit) -> None:
    limit = EXTRAPOLATION_LIMIT * fit.largest_observed
    places = np.linspace(1, max(1.0, limit), _POINTS)
    found = [(place, each) for place in places if isinstance(each := fit.predict(float(place)), Interval)]
    at_once = [float(place) for place, _ in found]
    edge = {"x": at_once, "mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False}
    figure.add_scatter(y=[each.high for _, each in found], **edge)
    figure.add_scatter(y=[each.low for _, each in found], fill="tonexty", fillcolor=faint(COLOURS[0]), **edge)
    observed = sum(place <= fit.largest_observed for place in at_once)
    for name, dash, part in (
        ("observed range", "solid", found[:observed]),
        ("a fifth beyond it", "dot", found[max(0, observed - 1) :]),
    ):
        figure.add_scatter(
            x=[float(place) for place, _ in part],
            y=[each.estimate for _, each in part],
            mode="lines",
            name=name,
            line={"color": COLOURS[0], "width": 2, "dash": dash},
            hovertemplate="%{x:.0f} at once: %{y:.3g} an hour<extra></extra>",
        )


def _add_shares(
    figure: go.Figure, name: str, levels: Sequence[QualityLevel], shares: Sequence[RunShare], colour: str
) -> None:
    known = [(level, share) for level, share in zip(levels, shares, strict=True) if share.n]
    figure.add_scatter(
        x=[(level.low + level.high) / 2 for level, _ in known],
        y=[share.ratio for _, share in known],
        mode="lines+markers",
        name=name,
        line={"color": colour, "width": 1},
        marker={"color": colour, "size": 7},
        error_x={
            "type": "data",
            "array": [(level.high - level.low) / 2 for level, _ in known],
            "thickness": 1,
            "width": 0,
        },
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [share.interval[1] - share.ratio for _, share in known],
            "arrayminus": [share.ratio - share.interval[0] for _, share in known],
            "thickness": 1,
            "width": 3,
        },
        customdata=[f"{level.low:.3g} to {level.high:.3g} at once: {share}" for level, share in known],
        hovertemplate="%{customdata}<extra></extra>",
    )


def _mark(figure: go.Figure, marks: Mapping[str, float], above: int = 0) -> None:
    """Draw a line at each concurrency, those at the same one under one label, so many pixels higher."""
    places: dict[float, list[str]] = {}
    for name, place in marks.items():
        places.setdefault(place, []).append(name)
    for number, (place, names) in enumerate(sorted(places.items())):
        figure.add_vline(
            x=place,
            line={"color": GREY, "width": 1, "dash": "dash"},
            annotation={
                "text": shown(f"{', '.join(names)}: {place:,.0f}"),
                "font": {"size": 11},
                "yshift": above - 14 * (number % 3),
            },
            annotation_position="top right",
        )
