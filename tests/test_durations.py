import numpy as np
import pytest

from gitopslab.metrics.definitions import DEFINITIONS, SYNC_DURATION
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
    summary = summarize([10, 20, 30, None, float("nan")], SYNC_DURATION, seed=1)

    assert summary.n == 3
    assert summary.unknown_count == 2
    assert summary.quantiles[0.5].seconds == 20
    assert str(summary) == (
        "3 syncs: half took at most 20 s; nine in ten at most 28 s. Of 2 more the duration is not known."
    )


def test_no_duration_is_said_so():
    assert str(summarize([], SYNC_DURATION, seed=1)) == "No duration of syncs is known."


def test_the_same_seed_gives_the_same_interval():
    durations = list(range(50))

    assert summarize(durations, SYNC_DURATION, seed=7) == summarize(durations, SYNC_DURATION, seed=7)


def test_few_durations_have_no_interval():
    assert summarize([1, 2, 3, 4], SYNC_DURATION, seed=1).quantiles[0.5].low is None


def test_the_interval_of_the_median_covers_the_truth_at_its_level():
    """400 samples of 60 from an exponential with median ln 2: about 95 % of the intervals hold it."""
    generator = np.random.default_rng(3)
    held = 0
    for seed in range(400):
        median = summarize(generator.exponential(size=60), SYNC_DURATION, seed=seed, samples=400).quantiles[
            0.5
        ]
        held += median.low <= np.log(2) <= median.high

    assert 0.92 <= held / 400 <= 0.98


def test_definitions_have_ids_of_their_own():
    assert len({d.definition_id for d in DEFINITIONS}) == len(DEFINITIONS)
