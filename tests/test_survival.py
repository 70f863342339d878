"""Durations with open things counted, by rows that can be added up."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitopslab.metrics.definitions import CHANGE_LEAD_TIME
from gitopslab.metrics.durations import Bootstrap
from gitopslab.metrics.survival import summarize_with_open, survive


def test_without_open_things_it_is_the_plain_share():
    found = survive([10, 20, 30, 40], [], CHANGE_LEAD_TIME)

    assert found.seconds == (10, 20, 30, 40)
    assert found.still_open == (0.75, 0.5, 0.25, 0)
    assert found.quantiles[0.5] is not None
    assert found.quantiles[0.5].seconds == 20


def test_an_open_thing_counts_for_as_long_as_it_lasted():
    # Of four one is left out of the count from 25 on: 1 x 3/4 x 2/3, then 1/2 of the two... of one.
    found = survive([10, 20, 40], [25], CHANGE_LEAD_TIME)

    assert found.still_open == pytest.approx((0.75, 0.5, 0))


def test_what_is_open_makes_the_median_longer_than_the_naive_one():
    naive = survive([60, 120, 180], [], CHANGE_LEAD_TIME).quantiles[0.5]
    told = survive([60, 120, 180], [200, 300, 400], CHANGE_LEAD_TIME).quantiles[0.5]

    assert naive is not None
    assert told is not None
    assert told.seconds > naive.seconds


def test_with_too_many_open_a_quantile_is_not_known():
    found = survive([10], [20, 30, 40], CHANGE_LEAD_TIME)

    assert found.quantiles[0.5] is None
    assert "too many are open" in str(found)


def test_with_nothing_ended_it_says_so_rather_than_a_number():
    found = survive([], [5, 6], CHANGE_LEAD_TIME)

    assert (found.ended_count, found.open_count) == (0, 2)
    assert found.seconds == ()
    assert (
        str(found) == "2 changes, 2 of them still open: too many are open to say how long half of them take."
    )
    assert str(survive([], [], CHANGE_LEAD_TIME)) == "There are no changes."


def test_the_median_of_censored_exponentials_is_inside_its_interval_at_about_its_level():
    generator = np.random.default_rng(11)
    inside = 0
    for _ in range(300):
        true, seen_for = generator.exponential(100, 60), generator.exponential(150, 60)
        half = survive(
            true[true <= seen_for].tolist(), seen_for[true > seen_for].tolist(), CHANGE_LEAD_TIME
        ).quantiles[0.5]
        assert half is not None
        low, high = half.low or 0, half.high or np.inf
        inside += low <= 100 * np.log(2) <= high
    assert 0.90 <= inside / 300 <= 0.99


@given(st.lists(st.integers(1, 50), min_size=1, max_size=30), st.lists(st.integers(1, 50), max_size=30))
def test_the_curve_never_rises_and_stays_between_its_interval_s_ends(ended: list[int], still_open: list[int]):
    found = survive(ended, still_open, CHANGE_LEAD_TIME)

    assert list(found.still_open) == sorted(found.still_open, reverse=True)
    for low, share, high in zip(found.low, found.still_open, found.high, strict=True):
        assert -1e-9 <= low <= share + 1e-9
        assert share - 1e-9 <= high <= 1 + 1e-9


def test_what_is_open_is_counted_in_the_quantiles_beside_what_is_over():
    seconds = [10, 20, 30, 40, 50, 60, 70, 80]
    plain = summarize_with_open(seconds, [], CHANGE_LEAD_TIME, Bootstrap(1))
    told = summarize_with_open(seconds, [45, 100], CHANGE_LEAD_TIME, Bootstrap(1))

    assert (plain.quantiles[0.5].seconds, plain.open_count) == (45, 0)
    assert (told.quantiles[0.5].seconds, told.open_count) == (50, 2)
    assert str(told).startswith("10 changes, 2 of them not over yet: half take at most 50 s")


def test_with_most_of_them_open_half_is_not_known():
    told = summarize_with_open(range(8), [100] * 9, CHANGE_LEAD_TIME, Bootstrap(1))

    assert told.quantiles[0.5] is None
    assert (
        str(told)
        == "17 changes, 9 of them not over yet, which is too many to say how long half of them take."
    )
