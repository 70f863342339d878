"""What a plan finds and says, on few literal rows."""

from datetime import timedelta

import pandas as pd
import pytest

from gitopslab.capacity.decision import Action
from gitopslab.capacity.evidence import Question, gather
from gitopslab.capacity.expectation import expect
from gitopslab.capacity.plan import Plan, carried, plan
from gitopslab.capacity.points import findings_of, points
from gitopslab.capacity.predictions import Judged, rows
from gitopslab.errors import UsageError
from gitopslab.metrics.scaling_law import Interval
from gitopslab.reports.result import plain
from tests.planned import NOW, WINDOW, evidence, sessions


def test_carried_is_what_thirty_sessions_had_around_them():
    frame = pd.DataFrame({"concurrency": [60.0] * 29 + [40.0] * 10})
    assert carried(frame) == 40
    assert carried(frame.head(0)) == 0


def test_a_plan_without_enough_sessions_withholds_a_raise_and_says_what_it_takes():
    found = plan(evidence(48, sessions=sessions(20)))

    assert found.decision.action is Action.WITHHELD
    assert "20 instances of 5 runs; it takes 100 of 5" in str(found)


def test_where_nothing_was_ever_seen_nothing_is_recommended():
    nothing = {"launch": None, "platform": None, "real": None}
    found = plan(evidence(5, **nothing))

    assert found.decision.action is Action.WITHHELD
    assert found.decision.reasons[:2] == (
        "Sessions of m: nothing is known of them.",
        "No launch is known there, so neither queue nor limits are.",
    )
    assert [point.name for point in points(found) if point.is_known] == []


def test_old_sessions_withhold_the_recommendation():
    old = sessions(20).assign(
        started_at=lambda each: each["started_at"] - timedelta(days=60),
        ended_at=lambda each: each["ended_at"] - timedelta(days=60),
    )
    found = plan(evidence(4, sessions=old))

    assert found.decision.action is Action.WITHHELD
    assert "at most 14 d is allowed" in str(found)


def test_a_plan_says_eleven_things_and_all_of_it_is_json():
    found = plan(evidence(4, sessions=sessions(200)))

    assert [point.name for point in points(found)] == [
        "throughput curve",
        "second opinion",
        "quality guard",
        "binding constraint",
        "waits now and then",
        "cost of a resolved task",
        "effects on other queues",
        "changes and freshness",
        "assumptions",
        "step, stop and rollback",
        "predicted against actual",
    ]
    assert all(point.says for point in points(found))
    assert plain(findings_of(found))["decision"]["action"] == found.decision.action.value


def test_waits_are_those_of_jobs_that_had_as_many_sessions_around_them():
    known = sessions(40).assign(concurrency=[40.0] * 30 + [10.0] * 10)
    waits = pd.DataFrame(
        {
            "benchmark_run_id": known["run"],
            "instance": known["instance"],
            "queued_at": known["started_at"],
            "wait_seconds": [10.0] * 30 + [500.0] * 10,
            "open_seconds": None,
        }
    )

    assert expect(45, waits, known, None, ()).wait_seconds == {0.5: 10, 0.9: 10, 0.99: 10}
    assert expect(10, waits, known, None, ()).wait_seconds == {}


def test_only_what_came_after_a_lasting_change_of_speed_counts():
    quick, slow = sessions(200, 600, runs=10), sessions(200, 1200, runs=10)
    earlier = {column: quick[column] - timedelta(days=12) for column in ("started_at", "ended_at")}
    quick = quick.assign(**earlier, run=[f"quick-{run}" for run in quick["run"]])
    found = plan(evidence(4, sessions=pd.concat([quick, slow], ignore_index=True)))

    assert len(found.changes) == 1
    assert len(found.sessions) == 200
    assert found.sessions["started_at"].min() == slow["started_at"].min()


def test_what_is_predicted_is_logged_once_a_concurrency():
    found: Plan = plan(evidence(4, sessions=sessions(200)))

    logged = rows(found, NOW)
    assert [row["concurrency"] for row in logged] == [4]
    assert logged[0]["until"] == NOW + timedelta(days=28)
    assert logged[0]["resolved_ratio"] == 0.5


def test_a_prediction_that_is_over_says_what_came_of_it():
    judged = Judged(
        50,
        WINDOW.since,
        NOW,
        Interval(214, 207, 227),
        Interval(0.43, 0.31, 0.56),
        0.5,
        175.0,
        0.4,
        False,
        True,
    )
    assert str(judged) == (
        "For 50 at once, of 2026-05-01: 175 an hour where 214 was predicted, below its interval; 40% resolved"
        " where 43% was predicted, inside its interval (0.5 h)."
    )
    few = Judged(
        50, WINDOW.since, NOW, Interval(214, 207, 227), Interval(0.4, None, None), 0.5, 190.0, 0.4, None, None
    )
    assert str(few) == (
        "For 50 at once, of 2026-05-01: 190 an hour where 214 was predicted, from too few sessions to judge;"
        " 40% resolved where 40% was predicted, without an interval (0.5 h)."
    )
    untried = Judged(50, WINDOW.since, NOW, Interval(214, 207, 227), None, None, None, None, None, None)
    assert str(untried) == "For 50 at once, of 2026-05-01: nobody ran so many until 2026-05-29."


def test_nobody_runs_none_at_once():
    class Nothing:
        def run(self, name: str, **_: object) -> object:
            raise AssertionError(name)

    with pytest.raises(UsageError, match="concurrency 0: ask for 1 or more"):
        gather(Nothing(), Question(0, WINDOW))
