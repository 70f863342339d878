"""Figures of the lead time of changes: how it goes with time, where it goes, and what is not measured."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from gitopslab.charts.style import GREY, colour_of, seconds_axis, shown, style
from gitopslab.metrics.durations import human
from gitopslab.metrics.stages import STAGES, StageMeans
from gitopslab.metrics.trend import Shift, TrendPoint
from gitopslab.metrics.waterfall import MEASURED, REASONS, Step

if TYPE_CHECKING:
    import pandas as pd

_MOST_DOTS = 1_000
_LEAST_SECONDS = 1.0
# Waiting is warm and work is cool, so that a bar tells at once which of them it is made of.
_STAGE_COLOURS = dict(
    zip(
        (stage.name for stage in STAGES),
        ("#F3C98B", "#0072B2", "#E69F00", "#F0E442", "#D55E00", "#CC79A7", "#009E73", "#56B4E9"),
        strict=True,
    )
)
_STEP_COLOURS = {
    MEASURED: "#009E73",
    "in_flight": "#56B4E9",
    "unobserved": "#CC79A7",
    "reverted": "#E69F00",
    "failed": "#D55E00",
    "first_seen": "#F0E442",
    "not_stitched": GREY,
    "untimed": "#0072B2",
}
# Shares of a bar that have room for a length of time, and for a number.
_ROOM_FOR_LENGTH, _ROOM_FOR_NUMBER = 0.12, 0.04
_NOWHERE = (None,)
_DARK, _LIGHT = "#1d2229", "#ffffff"
_LIGHT_INK = {"#0072B2", "#D55E00", "#009E73"}


def lead_time_trend(
    points: Sequence[TrendPoint], changes: "pd.DataFrame", shifts: Sequence[Shift]
) -> go.Figure:
    """Return a figure of the lead time by when changes came in: medians with intervals, and single changes.

    Stretches with fewer than 8 delivered changes have no median, only their changes. Of more than 1,000
    changes single ones are drawn for such stretches alone.

    Args:
        points: The estimate of each stretch.
        changes: Rows of queries/marts/changes_in_window.sql.
        shifts: When it changed for good; drawn as lines.
    """
    figure = go.Figure()
    colours = colour_of(list({point.environment for point in points}))
    timed = changes[changes["lead_seconds"].notna()]
    for environment, colour in colours.items():
        own = [point for point in points if point.environment == environment]
        if len(changes) <= _MOST_DOTS:
            _add_changes(figure, changes[changes["environment"].eq(environment)], colour)
        else:
            _add_few(figure, own, colour)
        _add_medians(figure, environment, [point for point in own if point.duration.quantile(0.5)], colour)
    style(figure, height=300)
    for shift in shifts:
        line = {"color": colours[shift.environment], "dash": "dash", "width": 1.5}
        figure.add_vline(x=shift.change.at, line=line)
    if len(timed):
        low, high = float(timed["lead_seconds"].min()), float(timed["lead_seconds"].max())
        longest_open = float(changes["open_seconds"].fillna(0).max())
        figure.update_yaxes(type="log", **seconds_axis(low, max(high, longest_open)))
    return figure


def stage_bars(means: Sequence[StageMeans]) -> go.Figure:
    """Return a figure of the share of each stage in the lead time, a bar for each of `means`, from the top.

    The shares of a bar sum to the whole; the length that it stands for is beside its name.
    """
    figure = go.Figure()
    # What plotly is given first is drawn lowest.
    ordered = list(reversed(means))
    labels = [
        f"{shown(each.environment)}, {each.changes}: {human(each.total_seconds)} ({each.n:,})"
        for each in ordered
    ]
    for stage in STAGES:
        seconds = [each.seconds[stage.name] for each in ordered]
        if not any(seconds):
            continue
        shares = [
            length / each.total_seconds if each.total_seconds else 0
            for length, each in zip(seconds, ordered, strict=True)
        ]
        colour = _STAGE_COLOURS[stage.name]
        figure.add_bar(
            x=shares,
            y=labels,
            orientation="h",
            name=stage.name,
            marker={"color": colour, "line": {"width": 0}},
            text=[
                human(length) if share >= _ROOM_FOR_LENGTH else ""
                for length, share in zip(seconds, shares, strict=True)
            ],
            **_inside(colour),
            customdata=[human(length) for length in seconds],
            hovertemplate=f"{stage.name}: %{{customdata}}, %{{x:.0%}}<extra></extra>",
        )
    style(figure, height=100 + 34 * max(1, len(labels)))
    _as_shares(figure)
    return figure


def change_waterfall(steps: Sequence[Step]) -> go.Figure:
    """Return a figure of what all changes of each environment come down to, a bar an environment.

    From the left: what is measured, then what is left out, by reason.
    """
    figure = go.Figure()
    environments = sorted({step.environment for step in steps}, reverse=True)
    by_place = {(step.environment, step.reason): step for step in steps}
    totals = {step.environment: step.of_count for step in steps}
    labels = [f"{shown(environment)} ({totals[environment]:,})" for environment in environments]
    for reason in (MEASURED, *reversed(REASONS)):
        own = [by_place.get((environment, reason)) for environment in environments]
        if not any(own):
            continue
        name = MEASURED if reason == MEASURED else REASONS[reason].name
        colour = _STEP_COLOURS[reason]
        figure.add_bar(
            x=[step.ratio if step else 0 for step in own],
            y=labels,
            orientation="h",
            name=name,
            marker={"color": colour, "line": {"width": 0}},
            text=[
                f"{step.change_count:,}" if step and step.ratio >= _ROOM_FOR_NUMBER else "" for step in own
            ],
            **_inside(colour),
            customdata=[step.change_count if step else 0 for step in own],
            hovertemplate=f"{name}: %{{customdata:,}}, %{{x:.1%}}<extra></extra>",
        )
    style(figure, height=90 + 34 * max(1, len(labels)))
    _as_shares(figure)
    return figure


def _add_changes(figure: go.Figure, changes: "pd.DataFrame", colour: str) -> None:
    for verb, seconds, marker in (
        ("took", "lead_seconds", {"symbol": "circle", "size": 5, "opacity": 0.6}),
        ("still open, for", "open_seconds", {"symbol": "triangle-up-open", "size": 6, "opacity": 0.7}),
    ):
        rows = changes[changes[seconds].notna()]
        figure.add_scatter(
            x=rows["committed_at"].tolist(),
            y=rows[seconds].clip(lower=_LEAST_SECONDS).tolist(),
            mode="markers",
            marker={**marker, "color": colour},
            customdata=[
                [shown(f"{sha[:12]} {subject}"), f"{verb} {human(length)}"]
                for sha, subject, length in zip(rows["sha"], rows["subject"], rows[seconds], strict=True)
            ],
            hovertemplate="%{customdata[0]}<br>%{customdata[1]}<extra></extra>",
            showlegend=False,
        )


def _add_few(figure: go.Figure, points: Sequence[TrendPoint], colour: str) -> None:
    few = [(point.middle, seconds) for point in points for seconds in point.duration.few]
    figure.add_scatter(
        x=[at for at, _ in few],
        y=[max(_LEAST_SECONDS, seconds) for _, seconds in few],
        mode="markers",
        marker={"color": colour, "size": 5, "opacity": 0.6},
        hovertext=[human(seconds) for _, seconds in few],
        hoverinfo="text",
        showlegend=False,
    )


def _add_medians(figure: go.Figure, environment: str, points: Sequence[TrendPoint], colour: str) -> None:
    halves = [half for point in points if (half := point.duration.quantile(0.5))]
    values = [max(_LEAST_SECONDS, half.seconds) for half in halves]
    # Where an interval has no end, none is drawn on that side.
    above = [0.0 if half.high is None else max(0.0, half.high - half.seconds) for half in halves]
    below = [0.0 if half.low is None else max(0.0, half.seconds - half.low) for half in halves]
    figure.add_scatter(
        # Without a median the name stands in the legend all the same, for the single changes.
        x=[point.middle for point in points] or _NOWHERE,
        y=values or _NOWHERE,
        mode="lines+markers",
        name=shown(environment),
        line={"color": colour, "width": 2},
        marker={"size": 9, "color": colour, "line": {"width": 1, "color": _LIGHT}},
        error_y={"type": "data", "array": above, "arrayminus": below, "thickness": 1.5, "width": 4},
        customdata=[
            [
                f"{point.since:%Y-%m-%d} to {point.until:%Y-%m-%d}",
                str(half),
                point.duration.n,
                point.duration.open_count,
            ]
            for point, half in zip(points, halves, strict=True)
        ],
        hovertemplate="%{customdata[0]}<br>half within %{customdata[1]}<br>"
        "%{customdata[2]:,} delivered, %{customdata[3]:,} open<extra></extra>",
    )


def _inside(colour: str) -> dict[str, Any]:
    """Return how text stands in a bar of `colour`, so that it can be read."""
    ink = _LIGHT if colour in _LIGHT_INK else _DARK
    return {
        "textposition": "inside",
        "insidetextanchor": "middle",
        "textangle": 0,
        "textfont": {"color": ink, "size": 12},
    }


def _as_shares(figure: go.Figure) -> None:
    if figure.data:
        figure.update_layout(barmode="stack", bargap=0.3, legend={"traceorder": "normal"})
        figure.update_xaxes(tickformat=".0%", range=[0, 1])
        figure.update_yaxes(showgrid=False)
