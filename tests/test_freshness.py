"""When a recommendation is withheld."""

from datetime import UTC, datetime, timedelta

from gitopslab.metrics.change_points import ChangePoint
from gitopslab.metrics.freshness import Input, freshness

NOW = datetime(2026, 5, 28, tzinfo=UTC)
LIMIT = timedelta(days=7)


def days_ago(count: float) -> datetime:
    return NOW - timedelta(days=count)


def test_recent_inputs_of_one_piece_bear_a_recommendation():
    found = freshness([Input("leases", days_ago(28), days_ago(2))], as_of=NOW, limit=LIMIT)

    assert not found.is_withheld
    assert str(found) == "The oldest input is 2 d old, and none changed for good within."


def test_one_old_input_withholds_it():
    inputs = [Input("leases", days_ago(28), days_ago(1)), Input("quotas", days_ago(28), days_ago(9))]

    assert str(freshness(inputs, as_of=NOW, limit=LIMIT)) == (
        "No recommendation is given. Quotas end at 2026-05-19 00:00 UTC, 9 d ago; at most 7 d is allowed."
    )


def test_a_change_within_an_input_withholds_it_and_one_before_does_not():
    change = ChangePoint(days_ago(14), before=600, after=900, p_value=0.005)

    pooled = freshness([Input("sessions", days_ago(28), days_ago(1), (change,))], as_of=NOW, limit=LIMIT)
    since = freshness([Input("sessions", days_ago(14), days_ago(1), (change,))], as_of=NOW, limit=LIMIT)

    [reason] = pooled.reasons
    assert reason == (
        "Sessions changed for good at 2026-05-14 00:00 UTC, by 1.5 times (p = 0.005):"
        " use what came after it only."
    )
    assert not since.is_withheld


def test_nothing_at_all_and_what_lies_in_the_future_withhold_it():
    assert freshness([], as_of=NOW, limit=LIMIT).reasons == ("It would rest on nothing.",)
    nothing = Input("leases", None, None)
    assert freshness([nothing], as_of=NOW, limit=LIMIT).reasons == ("Leases: nothing is known of them.",)
    future = Input("leases", days_ago(3), days_ago(-1))
    assert freshness([future], as_of=NOW, limit=LIMIT).is_withheld
