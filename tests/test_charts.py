import pandas as pd
import pytest

from gitopslab import charts

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


def test_what_took_no_known_time_is_not_drawn():
    figure = charts.durations_over_time(ROWS, at="at", seconds="took_seconds", by="service", label="label")

    assert [(trace.name, list(trace.y)) for trace in figure.data] == [("api", [0.5]), ("web", [10.0])]


def test_labels_from_outside_are_text():
    figure = charts.durations_over_time(ROWS, at="at", seconds="took_seconds", by="service", label="label")

    assert figure.data[1].customdata[0][0] == "&lt;b&gt;one&lt;/b&gt;"
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


@pytest.mark.parametrize(
    "draw",
    [
        lambda rows: charts.counts_by_day(rows, at="at", by="service"),
        lambda rows: charts.durations_over_time(
            rows, at="at", seconds="took_seconds", by="service", label="label"
        ),
        lambda rows: charts.durations_by_group(rows, seconds="took_seconds", by="service"),
    ],
)
def test_no_row_says_so(draw):
    [note] = draw(ROWS.iloc[:0]).layout.annotations

    assert note.text == "Nothing to draw."
