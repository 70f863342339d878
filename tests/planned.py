"""What a plan rests on, as few literal rows: a launch, layers and sessions, for tests of plans and gates."""

from datetime import UTC, datetime, timedelta

import pandas as pd

from gitopslab.capacity.concurrency import Envelope, evaluate
from gitopslab.capacity.evidence import Evidence, Question
from gitopslab.capacity.layers import Reading, real_layers
from gitopslab.capacity.pressure import Pressure
from gitopslab.window import Window

NOW = datetime(2026, 5, 29, tzinfo=UTC)
WINDOW = Window(NOW - timedelta(days=28), NOW)
NO_PRESSURE = Pressure()

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
        "looks": (),
    }
    question = Question(asked, WINDOW, cluster="dev", model="m", samples=20)
    return Evidence(question=question, **known | rest)
