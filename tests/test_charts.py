from datetime import timedelta

import pandas as pd
import pytest

from gitopslab import charts
from gitopslab.metrics.definitions import CHANGE_LEAD_TIME
from gitopslab.metrics.durations import summarize
from gitopslab.metrics.stages import STAGES, StageMeans
from gitopslab.metrics.survival import survive
from gitopslab.metrics.trend import TrendPoint
from gitopslab.metrics.waterfall import waterfall
from tests.delivered import START, change, changes, waiting

ROWS = pd.DataFrame(
    {
        "at": pd.to_datetime(["2026-05-01T10:00Z", "2026-05-01T11:00Z", "2026-05-04T10:00Z"]),
        "took_seconds": [10.0, 0.0, None],
        "service": ["web", "api", "web"],
        "label": ["<b>one</b>", "two", "three"],
    }
)


def test_a_day_without_anything_is_drawn_as_a_day_without_anything():
    figure = charts.counts_by_day(ROWS, at="at", by="service")

    assert [(trace.name, list(trace.y)) for trace in figure.data] == [
        ("api", [1, 0, 0, 0]),
        ("web", [1, 0, 0, 1]),
    ]


def test_labels_from_outside_are_text():
    figure = charts.lead_time_trend([point(1)], changes(change("a", 60.0, subject="<b>one</b>")), [])

    assert figure.data[0].customdata[0][0] == "a &lt;b&gt;one&lt;/b&gt;"
    assert "<b>" not in figure.to_json()


def test_beyond_six_groups_the_rarest_are_drawn_together():
    rows = pd.DataFrame({"at": pd.to_datetime(["2026-05-01T10:00Z"] * 9), "by": [*"aabcdefgh"]})
    figure = charts.counts_by_day(rows, at="at", by="by")

    assert len(figure.data) == 7
    assert figure.data[-1].name == "2 others"
    assert sum(trace.y[0] for trace in figure.data) == 9


def test_a_box_holds_the_middle_half():
    rows = pd.DataFrame({"took_seconds": [float(n) for n in range(1, 102)], "by": ["x"] * 101})
    [box] = charts.durations_by_group(rows, seconds="took_seconds", by="by").data

    assert (box.q1[0], box.median[0], box.q3[0]) == (26, 51, 76)


def test_fewer_than_eight_durations_are_dots_and_no_box():
    rows = pd.DataFrame({"took_seconds": [1.0] * 7 + [2.0] * 8, "by": ["few"] * 7 + ["many"] * 8})
    many, few = reversed(charts.durations_by_group(rows, seconds="took_seconds", by="by").data)

    assert (many.type, many.median[0], list(many.y)) == ("box", 2, ["many (8)"])
    assert (few.type, list(few.x)) == ("scatter", [1] * 7)


def point(n: int) -> TrendPoint:
    """Return the first week of dev, with `n` changes of as many seconds."""
    summary = summarize(range(1, n + 1), CHANGE_LEAD_TIME, seed=1)
    return TrendPoint("dev", START, START + timedelta(days=7), summary)


def test_a_trend_has_a_median_where_there_are_enough_changes_and_single_ones_beside_it():
    rows = changes(*(change(str(each), float(each)) for each in range(1, 10)), waiting("open", 70))
    dots, still_open, median = charts.lead_time_trend([point(9)], rows, []).data

    assert (len(dots.x), len(still_open.x)) == (9, 1)
    assert list(median.y) == [5]
    assert median.x[0] == START + timedelta(days=3.5)


def test_a_trend_of_many_changes_draws_what_is_summed_up_and_not_each():
    rows = changes(*(change(str(each), float(each)) for each in range(1, 1_002)))
    figure = charts.lead_time_trend([point(1_001), point(3)], rows, [])

    assert sum(len(trace.x) for trace in figure.data) == 1 + 3


def test_the_parts_of_a_bar_sum_to_the_whole():
    seconds = dict.fromkeys((stage.name for stage in STAGES), 0.0) | {"build": 30.0, "sync": 90.0}
    figure = charts.stage_bars([StageMeans("dev", "typical", 8, seconds, 120.0)])

    assert {bar.name: bar.x[0] for bar in figure.data} == {"build": 0.25, "sync": 0.75}
    assert figure.data[0].y[0] == "dev, typical: 2 min (8)"


def test_a_waterfall_begins_with_what_is_measured():
    steps = waterfall(changes(change("a", 60.0), change("b", **{"class": "reverted"})))

    assert [(bar.name, bar.x[0]) for bar in charts.change_waterfall(steps).data] == [
        ("measured", 0.5),
        ("reverted", 0.5),
    ]


def test_a_curve_of_many_steps_is_drawn_with_some_hundred():
    curve = survive(range(1, 5_000), [9_000], CHANGE_LEAD_TIME)
    *_, line = charts.survival_curves([("dev", curve)]).data

    assert len(line.x) == 301
    assert (line.x[0], line.x[-1]) == (1, 9_000)
    assert line.name == "dev (5,000, 1 open)"


@pytest.mark.parametrize(
    "figure",
    [
        charts.counts_by_day(ROWS.iloc[:0], at="at", by="service"),
        charts.durations_by_group(ROWS.iloc[:0], seconds="took_seconds", by="service"),
        charts.lead_time_trend([], changes(), []),
        charts.stage_bars([]),
        charts.change_waterfall([]),
        charts.survival_curves([]),
    ],
    ids=["counts", "durations", "trend", "stages", "waterfall", "curves"],
)
def test_no_row_says_so(figure):
    [note] = figure.layout.annotations

    assert note.text == "Nothing to draw."
