"""Gates before a change of concurrency: each asks one question and answers pass, fail or unknown.

A new gate is one entry of `GATES`. What is not known never passes: it is said, and a raise over it is for
people to decide.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from gitopslab.capacity.evidence import Evidence
from gitopslab.capacity.fan_out import longest_instance_seconds, wave_count
from gitopslab.metrics.durations import FEWEST, human
from gitopslab.metrics.in_flight import epoch_seconds

_STABLE = timedelta(seconds=120)
_CONTROL_PLANE = ("workflow-builder", "workflow-orchestrator", "swebench-coordinator")
_DAPR_REASONS = frozenset({"dapr_runtime_pressure", "agent_host_pressure"})


class Status(StrEnum):
    """What a gate says."""

    PASS = "pass"  # noqa: S105 - the word that a gate says
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """What a gate found.

    Attributes:
        gate: Its name.
        status: What it says.
        evidence: What that rests on, a sentence without a full stop.
        limit: How many at once it lets through; None where it sets no number.
        is_blocking: Whether a failure stops any raise; else its limit does, or it is a warning.
    """

    gate: str
    status: Status
    evidence: str
    limit: int | None = None
    is_blocking: bool = False

    def __str__(self) -> str:
        return f"{self.gate}: {self.status}; {self.evidence}."


Answer = tuple[Status, str, int | None]


@dataclass(frozen=True)
class Gate:
    """A question to what is known.

    Attributes:
        name: Its name.
        asks: The question.
        answer: Answers it.
        is_blocking: Whether a failure stops any raise, whatever the number.
    """

    name: str
    asks: str
    answer: Callable[[Evidence], Answer]
    is_blocking: bool = False


def findings(evidence: Evidence) -> tuple[Finding, ...]:
    """Return what each gate found, in the order of `GATES`."""
    return tuple(Finding(gate.name, *gate.answer(evidence), gate.is_blocking) for gate in GATES)


def _layer(name: str, unknown: str) -> Callable[[Evidence], Answer]:
    """Return the answer of a gate that holds what is asked for against one layer."""

    def answer(evidence: Evidence) -> Answer:
        found = evidence.real_layer(name)
        if found is None:
            return Status.UNKNOWN, unknown, None
        status = Status.PASS if evidence.question.concurrency <= found.value else Status.FAIL
        return status, f"room for {found.value:,} ({found.tag}: {found.source})", found.value

    return answer


def _dapr(evidence: Evidence) -> Answer:
    found = evidence.real_layer("parent_workflows")
    reasons = _DAPR_REASONS.intersection(evidence.platform.pressure.reasons if evidence.platform else ())
    if reasons:
        return Status.FAIL, f"the last launch saw {', '.join(sorted(reasons))}", None
    if found is None:
        return Status.UNKNOWN, "no launch says how many workflows the parent's workers take", None
    status = Status.PASS if evidence.question.concurrency <= found.value else Status.FAIL
    return status, f"the parent's workers take {found.value:,} workflows ({found.source})", found.value


def _pressure(evidence: Evidence) -> Answer:
    if evidence.platform is None:
        return Status.UNKNOWN, "no launch was seen", None
    pressure = evidence.platform.pressure
    if pressure.is_hard:
        return (
            Status.FAIL,
            f"the last launch was stopped by {', '.join(pressure.reasons) or 'pressure'}",
            None,
        )
    if pressure.factor < 1:
        return (
            Status.FAIL,
            f"the last launch was cut to {pressure.factor:.0%} ({', '.join(pressure.reasons)})",
            None,
        )
    return Status.PASS, "the last launch saw none", None


def _exact_images(evidence: Evidence) -> Answer:
    found = evidence.real_layer("exact_ready")
    if found is None:
        return Status.UNKNOWN, "no build names the commit of an instance", None
    wanted = max(evidence.question.concurrency, evidence.instance_count or 0)
    status = Status.PASS if wanted <= found.value else Status.FAIL
    return status, f"{found.source}; no run can have more distinct instances", found.value


def _evaluator(evidence: Evidence) -> Answer:
    launch = evidence.launch or {}
    effective, requested = (
        launch.get("effective_evaluation_concurrency"),
        launch.get("requested_evaluation_concurrency"),
    )
    if effective is None or requested is None:
        return Status.UNKNOWN, "no launch says how many evaluators it got", None
    reason = launch.get("evaluation_cap_reason")
    because = f" ({reason})" if reason else ""
    # Evaluation follows inference: too few evaluators make a run longer, and hold back no session.
    status = Status.FAIL if reason else Status.PASS
    return status, f"the last launch got {effective:,} evaluators of {requested:,}{because}", None


def _deadline(evidence: Evidence) -> Answer:
    timeout, count = (evidence.launch or {}).get("timeout_seconds"), evidence.instance_count
    sessions = evidence.sessions
    done = sessions[sessions["is_completed"].astype(bool)]
    if timeout is None or count is None or len(done) < FEWEST:
        return Status.UNKNOWN, "the run's timeout, its instances or how long sessions take is not known", None
    seconds = float((done["ended_at"] - done["started_at"]).dt.total_seconds().quantile(0.9))
    asked = evidence.question.concurrency
    waves, longest = wave_count(count, asked), longest_instance_seconds(timeout, count, asked)
    status = Status.PASS if seconds <= longest else Status.FAIL
    may = f"{count:,} instances in {waves:,} waves may take {human(longest)} each"
    return status, f"{may}, and nine in ten took {human(seconds)} at most", None


def _launch_stability(evidence: Evidence) -> Answer:
    known = [row for row in evidence.syncs if row["service"] in _CONTROL_PLANE]
    if not evidence.syncs:
        return Status.UNKNOWN, "no sync was seen in the last hour, and none may be landed", None
    recent = [
        row for row in known if row["finished_at"] is None or evidence.as_of - row["finished_at"] < _STABLE
    ]
    if recent:
        return (
            Status.FAIL,
            f"{recent[-1]['application']} was rolled out within the last {human(_STABLE.total_seconds())}",
            None,
        )
    return Status.PASS, f"no control plane was rolled out within {human(_STABLE.total_seconds())}", None


def _queue_active(evidence: Evidence) -> Answer:
    active = evidence.is_queue_admitting
    if active is None:
        active = (evidence.launch or {}).get("is_cluster_queue_active")
    if active is None:
        return Status.UNKNOWN, "neither a ClusterQueue nor a launch tells", None
    queue = evidence.queue or "the queue"
    return (Status.PASS, f"{queue} admits", None) if active else (Status.FAIL, f"{queue} is stopped", None)


def _leases(evidence: Evidence) -> Answer:
    sessions = evidence.sessions
    open_ones = sessions[sessions["ended_at"].isna()]
    if sessions.empty:
        return Status.UNKNOWN, "no session was seen", None
    ages = evidence.as_of.timestamp() - epoch_seconds(open_ones["started_at"])
    stuck = int((ages > _DAY_SECONDS).sum())
    if stuck:
        return Status.FAIL, f"{stuck:,} sessions are open for more than a day and hold what they hold", None
    return Status.PASS, f"{len(open_ones):,} sessions are open, none for more than a day", None


_DAY_SECONDS = 86_400.0

GATES = (
    Gate(
        "quota",
        "does the queue's quota, with what it may borrow, take so many?",
        _layer("kueue_available", "no quota of the launch's queue, or no request of an instance, is known"),
    ),
    Gate(
        "node headroom",
        "do so many fit on nodes, each pod on one?",
        _layer("node_fit", "no launch saw the room on nodes, or no request of an instance is known"),
    ),
    Gate("queue", "does the queue admit?", _queue_active, is_blocking=True),
    Gate("pressure", "was the cluster under pressure at the last launch?", _pressure, is_blocking=True),
    Gate("Dapr readiness", "do the parent's workflow workers take so many?", _dapr),
    Gate(
        "model limits",
        "does the model take so many requests at once?",
        _layer("model_requests", "neither launch nor configuration limits the model's requests"),
    ),
    Gate(
        "agent turns",
        "are so many agent workflows allowed?",
        _layer("agent_turns", "neither launch nor configuration limits them"),
    ),
    Gate("exact images", "have as many instances the image of their very commit?", _exact_images),
    Gate("evaluator", "did the last launch get the evaluators it asked for?", _evaluator),
    Gate("run deadline", "is a run over before its one deadline?", _deadline, is_blocking=True),
    Gate(
        "launch stability",
        "was the control plane left alone for two minutes?",
        _launch_stability,
        is_blocking=True,
    ),
    Gate("leaks", "does nothing hold slots that it no longer needs?", _leases),
)
"""In the order in which they are shown."""
