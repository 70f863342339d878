"""DORA's keys, on rollouts that can be counted."""

from datetime import timedelta

import pytest

from gitopslab.metrics import dora
from gitopslab.metrics.durations import Bootstrap
from gitopslab.metrics.ratios import Rate, Share
from tests.delivered import START, WINDOW, operations, rollout, rollouts

BOOTSTRAP = Bootstrap(1, 200)


def keys(*rows, ended=(), is_watched=True) -> dora.Keys:
    [found] = dora.keys(rollouts(*rows), operations(*ended), [], WINDOW, BOOTSTRAP, is_watched=is_watched)
    return found


def hours(count: float):
    return START + timedelta(hours=count)


def test_deployments_are_counted_in_the_window_alone():
    found = keys(rollout(1, -5), rollout(2, 1), rollout(3, 2))

    assert found.deployment_frequency == Rate(2, 28)


def test_whether_a_deployment_failed_is_yes_no_or_not_yet_known():
    found = keys(rollout(1, 1), rollout(2, 2, is_failure=True), rollout(3, 3), rollout(4, 4, is_failure=None))

    assert found.change_fail_rate == Share(1, 2, 1)
    assert str(found.change_fail_rate) == "1 of 3 (1 not yet known: between 25.0% and 50.0%)"


def test_rework_is_what_follows_a_failed_deployment_or_goes_back():
    found = keys(
        rollout(1, 1, is_failure=True),
        rollout(2, 2),
        rollout(3, 3),
        rollout(4, 4, is_rollback=True),
        rollout(1, 5, uid="other"),
    )

    # What another Application's first one followed, and dev's, nobody knows.
    assert found.rework_rate == Share(2, 1, 2)


def test_what_the_first_deployment_of_the_window_followed_may_be_older_than_the_window():
    assert keys(rollout(1, -90, is_failure=True), rollout(2, 1)).rework_rate == Share(1, 0, 0)


def test_recovery_runs_from_degraded_to_healthy_and_what_is_still_degraded_is_open():
    found = keys(
        rollout(1, 1, is_failure=True, failed_at=hours(1), restored_at=hours(1.5)),
        rollout(2, 2, is_failure=True, failed_at=hours(3)),
        rollout(3, 3, is_failure=True),
        rollout(4, 4),
    ).recovery_time

    assert (found.few, found.open_count, found.unknown_count) == ((1_800,), 1, 1)


@pytest.mark.parametrize(("is_watched", "said"), [(True, "1 of 3"), (False, "at least 1 of 3")])
def test_failed_syncs_are_a_lower_bound_unless_everything_was_watched(is_watched, said):
    found = keys(rollout(1, 1), ended=("succeeded", "failed", "succeeded", "running"), is_watched=is_watched)

    assert found.operations == said


def test_failed_deployments_are_listed_newest_first_with_how_long_they_lasted():
    rows = dora.failed_deployments(
        rollouts(
            rollout(1, 1, is_failure=True, failed_at=hours(1), restored_at=hours(2)),
            rollout(2, 5, is_failure=True),
            rollout(3, 6),
        ),
        WINDOW,
    )

    assert rows["sync_id"].tolist() == [2, 1]
    assert rows["recovery_seconds"].tolist()[1] == 3_600


def test_a_share_of_few_is_counts_and_of_enough_has_wilsons_interval():
    assert str(Share(1, 6, 0)) == "1 of 7"
    assert str(Share(2, 18, 0)) == "10.0% (2 of 20; 95% interval 2.8% to 30.1%)"
    assert Share(0, 0, 0).bounds is None


def test_a_rate_has_the_exact_interval_of_a_poisson_count():
    low, high = Rate(10, 1).interval

    assert (round(low, 3), round(high, 3)) == (4.795, 18.39)  # Garwood's table
    assert Rate(0, 1).interval == (0, pytest.approx(3.689, abs=0.001))
    assert str(Rate(3, 28)) == "3 (in 28 days)"
