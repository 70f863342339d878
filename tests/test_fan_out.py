"""Pressure, evaluators and the coordinator's fan-out, with the application's own quirks."""

import pytest

from gitopslab.capacity.fan_out import coordinator_fan_out, evaluation_concurrency, longest_instance_seconds
from gitopslab.capacity.pressure import Pressure, assess

FREE = Pressure()


@pytest.mark.parametrize(
    ("signals", "pressure"),
    [
        ({}, FREE),
        ({"observer_unavailable": 1}, Pressure(("cluster_pressure",), 0.5)),
        ({"stale_sample_seconds": 1}, Pressure(("cluster_pressure",), 0.5)),
        ({"memory_full_avg60": 5}, Pressure(("psi_memory_pressure",), 1, is_hard=True)),
        ({"memory_full_avg60": 4.9, "memory_some_avg60": 9.9}, FREE),
        ({"io_full_avg60": 10}, Pressure(("psi_io_pressure",), 1, is_hard=True)),
        ({"queue_inactive": 1}, Pressure(("kueue_capacity",), 1, is_hard=True)),
        ({"disk_pressure_nodes": 1}, Pressure(("disk_pressure",), 1, is_hard=True)),
        ({"parent_start_pending_timeouts": 3}, Pressure(("dapr_runtime_pressure",), 1, is_hard=True)),
        ({"parent_stale_workflow_events": 24}, FREE),
        ({"agent_host_oom_kills": 1}, Pressure(("agent_host_pressure",), 1, is_hard=True)),
    ],
)
def test_a_signal_means_pressure_from_its_threshold_on(signals, pressure):
    assert assess(signals) == pressure


def test_factors_combine_by_the_least_and_not_by_their_product():
    found = assess({"cpu_some_avg60": 60, "memory_some_avg60": 12})
    assert found == Pressure(("psi_memory_pressure", "psi_cpu_pressure"), 0.5)


@pytest.mark.parametrize(
    ("requested", "instances", "slots", "pressure", "wanted"),
    [
        (24, 25, 9, FREE, (9, "kueue_eval_capacity")),
        (24, 10, 30, FREE, (10, None)),
        (24, 25, 0, FREE, (1, "kueue_eval_capacity")),
        (24, 25, None, FREE, (24, None)),
        (24, 25, 30, Pressure(("cluster_pressure",), 0.5), (12, "cluster_pressure")),
        (24, 25, 30, Pressure(("disk_pressure",), 1, is_hard=True), (1, "cluster_pressure")),
        (500, 400, 400, FREE, (128, None)),
    ],
)
def test_evaluators_are_clamped_and_never_none(requested, instances, slots, pressure, wanted):
    found = evaluation_concurrency(requested, instances, slots, pressure)
    assert (found.effective, found.reason) == wanted


def test_the_run_of_25_gets_25_sessions_and_9_of_24_evaluators():
    found = evaluation_concurrency(24, 25, 9, FREE)
    assert (coordinator_fan_out(25, 25, None), found.requested, found.effective) == (25, 24, 9)


def test_a_stopped_queue_leaves_one_evaluator_that_it_will_not_admit():
    found = evaluation_concurrency(24, 25, 9, FREE, is_queue_active=False)
    assert (found.effective, found.reason) == (1, "kueue_cluster_queue_inactive")


def test_the_coordinator_passes_over_a_paused_zero():
    assert coordinator_fan_out(10, 0, None) == 10
    assert coordinator_fan_out(10, 6, 8) == 6
    assert coordinator_fan_out(None, 0) == 1


def test_a_run_in_three_waves_times_out_where_one_takes_a_third_of_its_deadline():
    assert longest_instance_seconds(7200, 30, 10) == 2500
