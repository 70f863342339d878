"""What gates say, one by one, of few literal rows."""

from datetime import timedelta

import pandas as pd
import pytest

from gitopslab.capacity import gates
from gitopslab.capacity.gates import Status
from gitopslab.capacity.pressure import Pressure
from tests.planned import LAUNCH, NOW, envelope, evidence, sessions


def gate(name: str, asked: int = 50, **rest) -> gates.Finding:
    return next(each for each in gates.findings(evidence(asked, **rest)) if each.gate == name)


def test_gates_are_summed_up_in_a_sentence():
    found = gates.findings(evidence(launch=None, platform=None, real=None, is_queue_admitting=False))
    assert gates.summary(found) == (
        "0 of 12 gates pass; queue fails; quota, node headroom, pressure, Dapr readiness, model limits,"
        " agent turns, exact images, evaluator, run deadline, launch stability, leaks are unknown."
    )


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
