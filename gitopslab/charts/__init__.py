"""Figures: functions from rows or numbers to a plotly Figure; nothing is read or written.

Text from a cluster is escaped on its way into a figure, since plotly reads tags in labels. Colours
are told apart by people who do not see red and green as different (Okabe and Ito, 2008), and backgrounds
are clear, so that a figure sits on a light or a dark page. What a figure draws does not grow with the rows:
beyond some hundreds they are summed up.
"""

from gitopslab.charts.concurrency import concurrency_layers, quality_by_concurrency, throughput_curve
from gitopslab.charts.counts import counts_by_day
from gitopslab.charts.coverage import coverage_timeline
from gitopslab.charts.durations import durations_by_group, survival_curves
from gitopslab.charts.lead_time import change_waterfall, lead_time_trend, stage_bars

__all__ = [
    "change_waterfall",
    "concurrency_layers",
    "counts_by_day",
    "coverage_timeline",
    "durations_by_group",
    "lead_time_trend",
    "quality_by_concurrency",
    "stage_bars",
    "survival_curves",
    "throughput_curve",
]
