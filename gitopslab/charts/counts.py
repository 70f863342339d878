"""How many things happened when."""

from typing import TYPE_CHECKING

import plotly.graph_objects as go

from gitopslab.charts.style import groups, shown, style

if TYPE_CHECKING:
    import pandas as pd


def counts_by_day(rows: "pd.DataFrame", *, at: str, by: str) -> go.Figure:
    """Return a figure of how many rows fall on each day, UTC, stacked by `by`; days without one are there."""
    import pandas as pd

    figure = go.Figure()
    if len(rows):
        days = rows[at].dt.floor("D")
        every = pd.date_range(days.min(), days.max(), freq="D")
        for name, group, colour in groups(rows.assign(_day=days), by):
            counts = group["_day"].value_counts().reindex(every, fill_value=0)
            figure.add_bar(
                x=every.tolist(),
                y=counts.tolist(),
                name=shown(name),
                marker={"color": colour},
                hovertemplate="%{x|%Y-%m-%d}: %{y}<extra>" + shown(name).replace("%", "&#37;") + "</extra>",
            )
    style(figure)
    figure.update_layout(barmode="stack", bargap=0.15, legend={"traceorder": "normal"})
    figure.update_yaxes(rangemode="tozero", tickformat=",d", title=None)
    return figure
