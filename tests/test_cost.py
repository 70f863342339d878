"""Costs of resolved tasks that can be added up in one's head."""

import pandas as pd
import pytest

from gitopslab.metrics.cost import Prices, costs
from gitopslab.metrics.durations import Bootstrap

BOOTSTRAP = Bootstrap(seed=1, samples=200)


def level(concurrency: float, *, resolved: int, cost: float = 1.0, hours: float = 1.0, runs: int = 4):
    """Runs of ten instances that are all alike."""
    return pd.DataFrame(
        [
            (f"{concurrency}-{run}", concurrency, hours, cost, number < resolved)
            for run in range(runs)
            for number in range(10)
        ],
        columns=["run", "concurrency", "hours", "cost", "is_resolved"],
    )


def test_all_instances_are_paid_for_and_the_resolved_ones_counted():
    [found] = costs(level(10, resolved=4), [], BOOTSTRAP).levels

    assert (found.n, found.resolved_count, found.run_count) == (40, 16, 4)
    assert found.cost is not None
    assert (found.cost.estimate, found.cost.low, found.cost.high) == (2.5, 2.5, 2.5)
    # Ten at once for an hour each: ten an hour end, four of them resolved.
    assert (found.resolved_per_hour, found.cost_per_hour) == (4, 10)
    assert str(found) == (
        "10 to 10 at once: 2.5 (2.5 to 2.5) USD a resolved task (16 resolved of 40 instances in 4 runs)."
    )


def test_one_more_task_costs_what_the_higher_level_costs_more():
    # Twice as many at once, but each takes longer: 16 an hour, of which 6.4 are resolved.
    rows = pd.concat([level(10, resolved=4), level(20, resolved=4, hours=1.25, cost=1.25)])

    [step] = costs(rows, [15], BOOTSTRAP).steps

    assert step.extra_resolved_per_hour == pytest.approx(2.4)
    assert step.extra_cost_per_hour == pytest.approx(10)
    assert step.cost is not None
    assert step.cost.estimate == pytest.approx(10 / 2.4)


def test_where_no_more_is_resolved_the_cost_buys_nothing():
    rows = pd.concat([level(10, resolved=4), level(20, resolved=1)])

    [step] = costs(rows, [15], BOOTSTRAP).steps

    assert step.cost is None
    assert (
        str(step)
        == "From 10 to 10 at once to 20 to 20 at once +10 USD an hour buys no resolved task (-2 an hour)."
    )


def test_what_is_not_known_is_counted_and_in_no_cost():
    rows = level(10, resolved=4)
    rows.loc[:9, "cost"] = None

    [found] = costs(rows, [], BOOTSTRAP, currency="EUR").levels

    assert (found.n, found.unknown_count) == (30, 10)
    assert str(found).endswith("Of 10 more the cost is not known.")
    [nothing] = costs(rows.assign(cost=None), [], BOOTSTRAP).levels
    assert str(nothing) == "10 to 10 at once: no cost is known. Of 40 more the cost is not known."


def test_nothing_resolved_has_no_cost_by_resolved():
    [found] = costs(level(10, resolved=0), [], BOOTSTRAP).levels

    assert str(found) == "10 to 10 at once: nothing was resolved (0 resolved of 40 instances in 4 runs)."


def test_two_runs_have_no_interval():
    [found] = costs(level(10, resolved=4, runs=2), [], BOOTSTRAP).levels

    assert found.cost is not None
    assert (found.cost.estimate, found.cost.low, found.cost.high) == (2.5, None, None)


def test_prices_make_costs_of_tokens_and_hours():
    prices = Prices("USD", {"input_token_count": 3, "output_token_count": 15}, {"cpu_cores": 0.04})
    rows = pd.DataFrame(
        {
            "hours": [0.5, 0.5],
            "input_token_count": [1_000_000, None],
            "output_token_count": [200_000, 10],
            "cpu_cores": [2.0, 2.0],
        }
    )

    known, unknown = prices.cost(rows)

    assert known == pytest.approx(3 + 3 + 0.04)
    assert pd.isna(unknown)
