"""What a plan decides, gate by gate, on few literal rows."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from gitopslab.capacity import gates
from gitopslab.capacity.concurrency import Envelope, evaluate
from gitopslab.capacity.decision import Action, Decision, Guard, Limit, decide
from gitopslab.capacity.evidence import Evidence, Question, gather
from gitopslab.capacity.expectation import expect
from gitopslab.capacity.gates import Status
from gitopslab.capacity.layers import Reading, real_layers
from gitopslab.capacity.plan import Plan, carried, plan
from gitopslab.capacity.points import findings_of, points
from gitopslab.capacity.predictions import Judged, rows
from gitopslab.capacity.pressure import Pressure
from gitopslab.errors import UsageError
from gitopslab.metrics.scaling_law import Interval
from gitopslab.reports.result import plain
from gitopslab.window import Window

NOW = datetime(2026, 5, 29, tzinfo=UTC)
WINDOW = Window(NOW - timedelta(days=28), NOW)
NO_PRESSURE = Pressure()
GUARD = Guard("stop", "go back")
QUALITY = Limit("quality", 45, "a knee may be there")
LOST = Limit("quality lost", 50, "a tenth of the resolved is lost there", is_shown=True)

LAUNCH = {
    "cluster": "dev",
    "cluster_queue": "fast",
    "selected_instance_count": 25,
    "timeout_seconds": 7200,
    "requested_evaluation_concurrency": 24,
    "effective_evaluation_concurrency": 9,
    "evaluation_cap_reason": "kueue_eval_capacity",
    "is_cluster_queue_active": True,
}


def decided(asked: int, current: int, *limits: Limit, **rest) -> Decision:
    return decide(asked, current, limits, guard=GUARD, **rest)


def envelope(pressure: Pressure = NO_PRESSURE, **readings: int) -> Envelope:
    known = {"requested": 50} | readings
    layers = real_layers({name: Reading(value, "a launch") for name, value in known.items()})
    return evaluate(layers, pressure)


def sessions(count: int = 0, seconds: float = 600, runs: int = 5) -> pd.DataFrame:
    """Return sessions of which four are in flight at once, each run's on a day of its own."""
    found = [
        {
            "benchmark_run_id": f"run-{run}",
            "run": f"run-{run}",
            "instance": f"i-{number}",
            "started_at": (
                start := WINDOW.until - timedelta(days=runs - run, seconds=-seconds * (number // 4))
            ),
            "ended_at": start + timedelta(seconds=seconds - number % 7),
            "is_completed": True,
            "is_last": True,
            "outcome": "resolved" if number % 2 else "unresolved",
            "concurrency": 4.0,
            "work_units": 20.0,
            "cost_usd": 0.5,
        }
        for run in range(runs)
        for number in range(count // runs)
    ]
    frame = pd.DataFrame(found, columns=list(found[0]) if found else [*EMPTY])
    return frame.astype({"started_at": "datetime64[us, UTC]", "ended_at": "datetime64[us, UTC]"})


EMPTY = (
    *("benchmark_run_id", "run", "instance", "started_at", "ended_at", "is_completed", "is_last", "outcome"),
    *("concurrency", "work_units", "cost_usd"),
)
NO_WAITS = pd.DataFrame(
    columns=[
        *("cluster", "cluster_queue", "uid", "attempt_number", "queued_at", "priority", "ahead_count"),
        *("wait_seconds", "open_seconds", "is_waiting", "benchmark_run_id", "instance"),
    ]
).astype({"queued_at": "datetime64[us, UTC]"})
NO_PREEMPTIONS = pd.DataFrame(columns=["cluster_queue", "preemptor_cluster_queue"])


def evidence(asked: int = 50, **rest) -> Evidence:
    known = {
        "launch": LAUNCH,
        "platform": envelope(),
        "real": envelope(kueue_available=72, node_fit=60),
        "is_queue_admitting": None,
        "bundle": None,
        "modelled": {},
        "sessions": sessions(),
        "waits": NO_WAITS,
        "preemptions": NO_PREEMPTIONS,
        "syncs": (),
        "deployments": (),
        "is_configuration_known": False,
        "recorded": None,
        "outcomes": (),
    }
    question = Question(asked, WINDOW, cluster="dev", model="m", samples=20)
    return Evidence(question=question, **known | rest)


def gate(name: str, asked: int = 50, **rest) -> gates.Finding:
    return next(each for each in gates.findings(evidence(asked, **rest)) if each.gate == name)


def test_a_raise_goes_a_step_at_a_time():
    found = decided(48, 40, Limit("quota", 72, "known"), Limit("nodes", 60, "known"))

    assert (found.action, found.to, found.is_supported) == (Action.RAISE, 48, True)
    assert str(found) == ("Raise from 40 to 48. Nothing known speaks against it.")
    assert str(decided(60, 40, Limit("quota", 72, "known"))) == (
        "Raise from 40 to 48, and look before the next step. All 60 at once are supported, in steps of 8."
    )


def test_a_raise_stops_at_the_least_limit_and_says_which():
    found = decided(50, 40, Limit("quota", 72, "known"), QUALITY)

    assert (found.action, found.to, found.is_supported) == (Action.RAISE, 45, False)
    assert str(found) == (
        "Raise from 40 to 45, and no further."
        " 50 at once is not shown to be safe: no more than 45 go by quality."
    )
    assert found.reasons == ("At most 45 by quality: a knee may be there.",)


def test_what_is_not_known_to_be_safe_holds_and_what_is_shown_to_harm_lowers():
    assert decided(60, 50, QUALITY).action is Action.HOLD
    assert decided(60, 50, QUALITY).to == 50
    lowered = decided(60, 56, QUALITY, LOST)
    assert (lowered.action, lowered.to) == (Action.LOWER, 50)


KNEE = Limit("quality", 9, "it may be there", beyond="a tenth is lost from 9 on")
NODES = Limit("room on nodes, each pod on one", 2, "of one node", is_shown=True)
BLOCKED = ["launch stability: fail; it was rolled out just now."]


@pytest.mark.parametrize(
    ("asked", "current", "limits", "rest", "says"),
    [
        (25, 25, [], {}, "Hold at 25. Nothing known speaks against it."),
        (
            50,
            50,
            [KNEE],
            {},
            "Hold at 50. 50 at once is not shown to be safe: a tenth is lost from 9 on.",
        ),
        (
            3,
            2,
            [NODES],
            {},
            "Hold at 2. 3 at once is not supported: no more than 2 go by room on nodes, each pod on one.",
        ),
        (
            48,
            40,
            [],
            {"blockers": BLOCKED},
            "Hold at 40 for now. 48 at once has to wait: launch stability: fail; it was rolled out just now.",
        ),
        (
            200,
            40,
            [LOST],
            {},
            (
                "Raise from 40 to 48, and look before the next step."
                " 200 at once is not supported: no more than 50 go by quality lost."
            ),
        ),
        (
            60,
            56,
            [QUALITY, LOST],
            {},
            "Lower from 56 to 50: no more than 50 go by quality lost. 60 at once is not supported.",
        ),
        (30, 40, [QUALITY], {}, "Lower from 40 to 30, as asked. Nothing known speaks against it."),
        (
            12,
            50,
            [KNEE],
            {},
            "Lower from 50 to 12, as asked. 12 at once is not shown to be safe: a tenth is lost from 9 on.",
        ),
    ],
)
def test_a_decision_says_what_to_do_first_and_then_what_comes_of_what_was_asked_for(
    asked, current, limits, rest, says
):
    assert str(decided(asked, current, *limits, **rest)) == says


def test_what_was_carried_may_stay_though_it_is_not_shown_to_be_safe():
    assert decided(50, 50, KNEE).reasons[-1] == (
        "50 at once was carried, and nothing shows that it does harm: it may stay."
    )


def test_where_harm_begins_below_what_runs_by_the_best_estimate_the_careful_choice_is_said():
    likely = Limit("quality", 9, "it may be there", likely=43.5)
    assert decided(50, 50, likely).reasons[-1] == (
        "50 at once was carried. By the best estimate harm begins at 43.5 already, which is not sure enough"
        " to lower it; 43 is the careful choice."
    )
    assert decided(50, 40, likely).reasons[-1].endswith("it may stay.")


def test_gates_are_summed_up_in_a_sentence():
    found = gates.findings(evidence(launch=None, platform=None, real=None, is_queue_admitting=False))
    assert gates.summary(found) == (
        "0 of 12 gates pass; queue fails; quota, node headroom, pressure, Dapr readiness, model limits,"
        " agent turns, exact images, evaluator, run deadline, launch stability, leaks are unknown."
    )


def test_who_asks_for_fewer_gets_fewer():
    found = decided(30, 40, QUALITY)

    assert (found.action, found.to, found.is_supported) == (Action.LOWER, 30, True)


def test_a_blocker_holds_a_raise_and_nothing_else():
    blockers = ["pressure: fail; the last launch was stopped."]
    assert decided(48, 40, blockers=blockers).action is Action.HOLD
    assert not decided(48, 40, blockers=blockers).is_supported
    assert decided(40, 40, blockers=blockers).is_supported


def test_nothing_is_recommended_while_inputs_are_stale():
    found = decided(48, 40, QUALITY, withheld=["Sessions end 40 d ago."])

    assert (found.action, found.to, found.is_supported) == (Action.WITHHELD, 40, False)
    assert str(found) == "No recommendation for 48 at once. Sessions end 40 d ago."


def test_a_step_is_a_fifth_and_never_nothing():
    assert decided(100, 3).to == 4
    assert decided(100, 50).to == 60
    assert decided(100, 50, step_share=0.5).to == 75


def test_quota_and_nodes_are_gates_of_their_own():
    real = envelope(kueue_available=72, node_fit=2)
    assert gate("quota", 3, real=real).status is Status.PASS
    found = gate("node headroom", 3, real=real)
    assert (found.status, found.limit) == (Status.FAIL, 2)


def test_a_layer_that_nobody_read_is_unknown_and_does_not_pass():
    for name in ("model limits", "agent turns", "Dapr readiness", "exact images", "launch stability"):
        assert gate(name).status is Status.UNKNOWN
    assert gate("model limits", real=envelope(model_requests=48)).status is Status.FAIL


def test_evaluators_that_were_clamped_are_said_and_hold_back_no_session():
    found = gate("evaluator")
    assert str(found) == "evaluator: fail; the last launch got 9 evaluators of 24 (kueue_eval_capacity)."
    assert (found.limit, found.is_blocking) == (None, False)


def test_no_run_has_more_distinct_instances_than_exact_images():
    real = envelope(exact_ready=161)
    assert gate("exact images", real=real).status is Status.PASS
    launch = LAUNCH | {"selected_instance_count": 500}
    found = gate("exact images", real=real, launch=launch)
    assert (found.status, found.limit) == (Status.FAIL, 161)


@pytest.mark.parametrize(("asked", "status"), [(25, Status.PASS), (1, Status.FAIL)])
def test_all_waves_of_a_run_share_one_deadline(asked, status):
    # 25 waves share 7,500 s, so each instance may take 300 s, and they take 600 s.
    assert gate("run deadline", asked, sessions=sessions(20)).status is status


def test_pressure_that_stopped_the_last_launch_blocks_a_raise():
    found = gate("pressure", platform=envelope(Pressure(("psi_io_pressure",), is_hard=True)))
    assert (found.status, found.is_blocking) == (Status.FAIL, True)
    assert "psi_io_pressure" in found.evidence


def test_a_stopped_queue_blocks_whatever_the_last_launch_saw():
    found = gate("queue", is_queue_admitting=False)
    assert str(found) == "queue: fail; fast is stopped."
    assert found.is_blocking
    assert gate("queue").status is Status.PASS


def deployment(name: str = "workflow-builder", ready: int = 2, **rest) -> dict:
    known = {"deployment": name, "wanted_replica_count": 2, "ready_replica_count": ready}
    rolled = {"is_rolled_out": ready == 2, "updated_replica_count": 2}
    return known | rolled | {"progressed_at": NOW - timedelta(days=1)} | rest


def sync(minutes: float, **rest) -> dict:
    at = NOW - timedelta(minutes=minutes)
    known = {"service": "workflow-builder", "application": "dev-workflow-builder"}
    return known | {"started_at": at, "finished_at": at} | rest


def test_a_control_plane_that_was_just_synced_or_rolled_out_is_not_stable():
    just_now = deployment(progressed_at=NOW - timedelta(seconds=60))
    assert gate("launch stability", syncs=(sync(3),)).status is Status.PASS
    assert gate("launch stability", syncs=(sync(3), sync(1))).status is Status.FAIL
    assert gate("launch stability", deployments=(deployment(),), syncs=(sync(1),)).status is Status.FAIL
    assert gate("launch stability", deployments=(just_now,)).evidence == (
        "workflow-builder was rolled out within the last 2 min"
    )


def test_a_rollout_that_is_not_over_keeps_the_control_plane_from_being_stable():
    found = gate("launch stability", deployments=(deployment(ready=1),))

    assert str(found) == (
        "launch stability: fail; workflow-builder is not rolled out:"
        " 2 replicas are updated and 1 ready, of 2 wanted."
    )
    assert gate("launch stability", deployments=(deployment(),)).evidence == (
        "the control plane was last changed at 2026-05-28 00:00 UTC, and is rolled out"
    )


def test_a_sync_under_way_is_not_stable_and_one_whose_end_nobody_saw_tells_nothing():
    assert gate("launch stability", syncs=(sync(30, finished_at=None),)).status is Status.FAIL
    assert gate("launch stability", syncs=(sync(90, finished_at=None),)).status is Status.UNKNOWN


def test_what_is_rolled_out_elsewhere_than_in_the_control_plane_disturbs_no_launch():
    found = gate("launch stability", deployments=(deployment(), deployment("notifier", ready=0)))
    assert found.status is Status.PASS


def test_workflow_workers_that_are_not_ready_fail_whatever_they_would_take():
    real = envelope(parent_workflows=192)
    ready, unready = (deployment("workflow-orchestrator", ready) for ready in (2, 1))

    found = gate("Dapr readiness", real=real, deployments=(ready,))
    assert (found.status, found.limit) == (Status.PASS, 192)
    assert found.evidence.endswith("2 of 2 replicas of workflow-orchestrator are ready")
    assert gate("Dapr readiness", 200, real=real, deployments=(ready,)).status is Status.FAIL
    assert gate("Dapr readiness", real=real, deployments=(unready,)).status is Status.FAIL
    assert gate("Dapr readiness", deployments=(ready,)).status is Status.UNKNOWN


def test_dapr_under_pressure_at_the_last_launch_fails():
    pressed = envelope(Pressure(("dapr_runtime_pressure",), is_hard=True))
    assert gate("Dapr readiness", platform=pressed).status is Status.FAIL


def test_a_limit_that_a_known_configuration_leaves_out_is_none_and_the_models_own_stays_unknown():
    assert str(gate("agent turns", is_configuration_known=True)) == (
        "agent turns: pass; workflow-builder sets no limit."
    )
    assert gate("model limits", is_configuration_known=True).status is Status.UNKNOWN


def test_an_unknown_gate_says_which_data_would_settle_it_and_a_known_one_does_not():
    unknown = gates.findings(evidence(launch=None, platform=None, real=None))

    assert all(each.settled_by for each in unknown if each.status is Status.UNKNOWN)
    assert str(gate("exact images")) == (
        "exact images: unknown; no build names the commit of an instance;"
        " image builds of the benchmark database that name a base_commit would tell."
    )
    assert gate("quota").settled_by == ""


def test_a_session_that_is_open_for_days_holds_what_it_holds():
    stuck = sessions(20)
    stuck.loc[0, "ended_at"] = pd.NaT
    assert gate("leaks", sessions=stuck).status is Status.FAIL
    assert gate("leaks", sessions=sessions(20)).status is Status.PASS


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
        "For 50 at once, of 2026-05-01: 190 an hour where 214 was predicted, from too few runs to judge; 40%"
        " resolved where 40% was predicted, without an interval (0.5 h)."
    )
    untried = Judged(50, WINDOW.since, NOW, Interval(214, 207, 227), None, None, None, None, None, None)
    assert str(untried) == "For 50 at once, of 2026-05-01: nobody ran so many until 2026-05-29."


def test_nobody_runs_none_at_once():
    class Nothing:
        def run(self, name: str, **_: object) -> object:
            raise AssertionError(name)

    with pytest.raises(UsageError, match="concurrency 0: ask for 1 or more"):
        gather(Nothing(), Question(0, WINDOW))
