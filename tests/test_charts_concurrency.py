"""Figures of concurrency: drawn from few numbers, with text from outside made harmless."""

import numpy as np

from gitopslab import charts
from gitopslab.metrics.quality_levels import QualityLevel
from gitopslab.metrics.run_shares import run_share
from gitopslab.metrics.scaling_law import UNIVERSAL, ScalingFit, ScalingLaw

LAW = ScalingLaw(6.0, 0.01, 0.0004)
FIT = ScalingFit(
    law=LAW,
    best=UNIVERSAL,
    criteria={},
    resampled=np.array([[6.0, 0.01, 0.0004], [6.2, 0.012, 0.0003]] * 20),
    n=20,
    run_count=8,
    largest_observed=40,
    level=0.9,
)


def test_a_curve_is_drawn_as_far_as_anything_may_be_said():
    figure = charts.throughput_curve(FIT, [], {"asked for": 50, "carried": 40, "recommended": 40})

    drawn = {trace.name: trace for trace in figure.data if trace.name}
    assert max(drawn["observed range"].x) <= 40
    assert max(drawn["a fifth beyond it"].x) == 48
    assert [each.text for each in figure.layout.annotations] == ["carried, recommended: 40", "asked for: 50"]


def test_nothing_known_draws_nothing():
    assert not charts.throughput_curve(None, [], {"asked for": 50}).data
    assert not charts.quality_by_concurrency((), {}).data
    assert not charts.concurrency_layers((), 50).data


def test_shares_are_drawn_where_there_are_any():
    none = run_share([False] * 10, ["r"] * 10)
    resolved = run_share([True] * 4 + [False] * 6, ["r"] * 10)
    figure = charts.quality_by_concurrency([QualityLevel(2, 8, resolved, none, none, none, 0)], {})

    assert [trace.name for trace in figure.data] == ["resolved of answered"]
    assert (figure.data[0].x[0], figure.data[0].y[0]) == (5, 0.4)


def test_the_least_layer_stands_on_top_and_its_name_is_text():
    figure = charts.concurrency_layers(
        [("<b>nodes", 60, "measured", True), ("quota", 48, "assumed", False)], 50
    )

    assert list(figure.layout.yaxis.categoryarray) == ["&lt;b&gt;nodes", "quota"]
    assert figure.layout.annotations[-1].text == "faint: shown, and binds nothing"
