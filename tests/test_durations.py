import numpy as np
import pytest

from gitopslab.metrics.definitions import CHANGE_LEAD_TIME, DEFINITIONS
from gitopslab.metrics.durations import human, summarize


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (4, "4 s"),
        (4.25, "4.2 s"),
        (59.6, "1 min"),
        (200, "3 min 20 s"),
        (3_605, "1 h"),
        (3_660, "1 h 1 min"),
        (187_200, "2 d 4 h"),
        (-61, "-1 min 1 s"),
    ],
)
def test_a_duration_is_said_in_its_two_largest_units(seconds, said):
    assert human(seconds) == said


def test_quantiles_are_those_of_the_durations_known():
    summary = summarize([*range(10, 91, 10), None, float("nan")], CHANGE_LEAD_TIME, seed=1)

    assert summary.n == 9
    assert summary.unknown_count == 2
    assert summary.quantiles[0.5].seconds == 50
    assert str(summary).startswith("9 changes: half took at most 50 s, 95% interval ")
    assert str(summary).endswith("; nine in ten at most 1 min 22 s. Of 2 more the duration is not known.")


def test_fewer_than_eight_durations_have_no_estimate_and_are_shown_one_by_one():
    summary = summarize([30, 10, 20], CHANGE_LEAD_TIME, seed=1)

    assert summary.quantiles == {}
    assert summary.few == (10, 20, 30)
    assert str(summary) == "3 changes, too few for an estimate: 10 s, 20 s, 30 s."


def test_what_may_lie_beyond_the_longest_seen_has_no_upper_end():
    quantiles = summarize(range(1, 21), CHANGE_LEAD_TIME, seed=1).quantiles

    assert quantiles[0.5].high is not None
    assert quantiles[0.95].high is None  # of 20 durations all lie below it with probability 0.36
    assert str(quantiles[0.95]).endswith(" or more)")


def test_no_duration_is_said_so():
    assert str(summarize([], CHANGE_LEAD_TIME, seed=1)) == "No duration of changes is known."


def test_the_same_seed_gives_the_same_interval():
    durations = list(range(50))

    assert summarize(durations, CHANGE_LEAD_TIME, seed=7) == summarize(durations, CHANGE_LEAD_TIME, seed=7)


def test_the_interval_of_the_median_covers_the_truth_at_its_level():
    """400 samples of 60 from an exponential with median ln 2: about 95 % of the intervals hold it."""
    generator = np.random.default_rng(3)
    held = 0
    for seed in range(400):
        median = summarize(
            generator.exponential(size=60), CHANGE_LEAD_TIME, seed=seed, samples=400
        ).quantiles[0.5]
        held += median.low <= np.log(2) <= median.high

    assert 0.92 <= held / 400 <= 0.98


def test_definitions_have_ids_of_their_own():
    assert len({d.definition_id for d in DEFINITIONS}) == len(DEFINITIONS)
