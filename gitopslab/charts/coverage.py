"""When each kind of each cluster was watched, looked at, or missed."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from gitopslab.charts.style import note, shown, style
from gitopslab.metrics.durations import human
from gitopslab.window import Window

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
        found = [
            row for row in stretches if row["state"] == state and (row["cluster"], row["kind"]) in heights
        ]
        if found:
            _add_stretches(figure, state, found, heights, window)
    style(figure, height=90 + 17 * max(2, len(labels)))
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
        note(figure, f"{len(rows) - most:,} more kinds are not drawn")
    return figure


def _places(rows: Sequence[tuple[str, str]]) -> tuple[dict[tuple[str, str], int], list[str]]:
    """Return how high each row stands, and what stands beside it: a cluster's name above its kinds."""
    heights: dict[tuple[str, str], int] = {}
    labels: list[str] = []
    for place, (cluster, kind) in enumerate(rows):
        if place == 0 or rows[place - 1][0] != cluster:
            labels.append(f"<b>{shown(cluster)}</b>")
        heights[cluster, kind] = -len(labels)
        labels.append(shown(kind))
    return heights, labels


def _add_stretches(
    figure: go.Figure,
    state: str,
    found: Sequence[Mapping[str, Any]],
    heights: Mapping[tuple[str, str], int],
    window: Window,
) -> None:
    """Draw stretches of one state, each a bar that begins at its start."""
    name, colour = _COVERAGE[state]
    least_seconds = window.days * 86_400 / 400
    seconds = [(row["until"] - row["since"]).total_seconds() for row in found]
    figure.add_bar(
        y=[heights[row["cluster"], row["kind"]] for row in found],
        base=[row["since"] for row in found],
        x=[max(each, least_seconds) * 1_000 for each in seconds],
        width=0.7,
        orientation="h",
        name=name,
        marker={"color": colour, "line": {"width": 0}},
        customdata=[
            [
                shown(f"{row['cluster']}, {row['kind']}"),
                f"{row['since']:%Y-%m-%d %H:%M} to {row['until']:%Y-%m-%d %H:%M} UTC, {human(each)}",
                shown(row["message"] or ""),
            ]
            for row, each in zip(found, seconds, strict=True)
        ],
        hovertemplate=f"%{{customdata[0]}}<br>%{{customdata[1]}}<br>%{{customdata[2]}}<extra>{name}</extra>",
    )
