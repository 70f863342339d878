"""Changes in a series that was made with them."""

from datetime import UTC, datetime, timedelta

import numpy as np

from gitopslab.metrics.change_points import change_points

START = datetime(2026, 1, 1, tzinfo=UTC)


def days(count: int) -> list[datetime]:
    return [START + timedelta(days=day) for day in range(count)]


def test_a_step_is_found_where_it_is():
    generator = np.random.default_rng(3)
    values = [*generator.normal(10, 1, 40), *generator.normal(16, 1, 40)]

    [found] = change_points(days(80), values, seed=1)

    assert abs((found.at - START).days - 40) <= 1
    assert (round(found.before), round(found.after)) == (10, 16)
    assert found.p_value <= 0.05
    assert 1.5 < found.ratio < 1.7


def test_two_steps_are_two_changes_in_order():
    values = [5.0, 5.2] * 15 + [9.0, 9.1] * 15 + [2.0, 2.3] * 15

    found = change_points(days(90), values, seed=1)

    assert [(each.at - START).days for each in found] == [30, 60]


def test_noise_alone_shows_a_change_about_as_often_as_the_level_says():
    generator = np.random.default_rng(5)
    found = [
        bool(change_points(days(40), generator.normal(0, 1, 40).tolist(), seed=n, permutations=99))
        for n in range(100)
    ]

    assert sum(found) <= 12


def test_the_order_in_which_points_are_given_does_not_matter():
    times, values = days(40), [1.0] * 20 + [3.0] * 20
    assert change_points(times[::-1], values[::-1], seed=1) == change_points(times, values, seed=1)


def test_too_few_points_show_nothing():
    assert change_points(days(10), [1, 1, 1, 1, 1, 9, 9, 9, 9, 9], seed=1) == []
    assert change_points([], [], seed=1) == []


def test_a_long_series_is_taken_in_blocks_and_its_change_is_still_found():
    generator = np.random.default_rng(7)
    values = [*generator.normal(0, 1, 3000), *generator.normal(3, 1, 3000)]
    times = [START + timedelta(minutes=n) for n in range(6000)]

    [found] = change_points(times, values, seed=1, permutations=49)

    assert abs((found.at - START).total_seconds() / 60 - 3000) <= 20
