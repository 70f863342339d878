"""Gates before a change of concurrency: each asks one question and answers pass, fail or unknown.

A new gate is one entry of `GATES`. What is not known never passes: it is said, with the data that would tell,
and a raise over it is for people to decide.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from gitopslab.capacity.control_plane import instability, last_change, readiness
from gitopslab.capacity.evidence import DEPLOYMENT, Evidence
from gitopslab.capacity.fan_out import longest_instance_seconds, wave_count
from gitopslab.metrics.durations import FEWEST, human
from gitopslab.metrics.in_flight import epoch_seconds

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
        settled_by: Which data would tell, where it is unknown; else empty.
    """

    gate: str
    status: Status
    evidence: str
    limit: int | None = None
    is_blocking: bool = False
    settled_by: str = ""

    def __str__(self) -> str:
        return f"{self.gate}: {self.status}; {self.told}."

    @property
    def told(self) -> str:
        """The evidence, and what would settle it where it does not."""
        return f"{self.evidence}; {self.settled_by} would tell" if self.settled_by else self.evidence


Answer = tuple[Status, str, int | None]


@dataclass(frozen=True)
class Gate:
    """A question to what is known.

    Attributes:
        name: Its name.
        asks: The question.
        answer: Answers it.
        settled_by: Which data tells, where nothing landed does.
        is_blocking: Whether a failure stops any raise, whatever the number.
    """

    name: str
    asks: str
    answer: Callable[[Evidence], Answer]
    settled_by: str
    is_blocking: bool = False


def findings(evidence: Evidence) -> tuple[Finding, ...]:
    """Return what each gate found, in the order of `GATES`."""
    return tuple(_found(gate, evidence) for gate in GATES)


def summary(found: Sequence[Finding]) -> str:
    """Return how many gates pass, and which do not, as a sentence."""
    passed = sum(each.status is Status.PASS for each in found)
    others = [
        f"{', '.join(names)} {'fails' if len(names) == 1 else 'fail'}"
        if status is Status.FAIL
        else f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} unknown"
        for status in (Status.FAIL, Status.UNKNOWN)
        if (names := [each.gate for each in found if each.status is status])
    ]
    return "; ".join([f"{passed:,} of {len(found):,} gates pass", *others]) + "."


def _found(gate: Gate, evidence: Evidence) -> Finding:
    status, says, limit = gate.answer(evidence)
    settled_by = gate.settled_by if status is Status.UNKNOWN else ""
    return Finding(gate.name, status, says, limit, gate.is_blocking, settled_by)


def _layer(name: str, unknown: str, unlimited: str = "") -> Callable[[Evidence], Answer]:
    """Return the answer of a gate that holds what is asked for against one layer.

    Args:
        name: The layer.
        unknown: What to say where it is not known.
        unlimited: What to say where the configuration is known and sets no limit; empty: that tells nothing.
    """

    def answer(evidence: Evidence) -> Answer:
        found = evidence.real_layer(name)
        if found is not None:
            status = Status.PASS if evidence.question.concurrency <= found.value else Status.FAIL
            return status, f"room for {found.value:,} ({found.tag}: {found.source})", found.value
        if unlimited and evidence.is_configuration_known:
            return Status.PASS, unlimited, None
        return Status.UNKNOWN, unknown, None

    return answer


def _dapr(evidence: Evidence) -> Answer:
    reasons = _DAPR_REASONS.intersection(evidence.platform.pressure.reasons if evidence.platform else ())
    if reasons:
        return Status.FAIL, f"the last launch saw {', '.join(sorted(reasons))}", None
    is_ready, workers = readiness(evidence)
    if is_ready is False:
        return Status.FAIL, workers, None
    found = evidence.real_layer("parent_workflows")
    if found is None:
        return (
            Status.UNKNOWN,
            "; ".join(filter(None, (workers, "how many workflows they take is not known"))),
            None,
        )
    status = Status.PASS if evidence.question.concurrency <= found.value else Status.FAIL
    takes = f"the parent's workers take {found.value:,} workflows ({found.source})"
    return status, "; ".join(filter(None, (takes, workers))), found.value


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
    may = (
        f"{count:,} instances in {waves:,} {'wave' if waves == 1 else 'waves'} may take {human(longest)} each"
    )
    return status, f"{may}, and nine in ten took {human(seconds)} at most", None


def _launch_stability(evidence: Evidence) -> Answer:
    if reason := instability(evidence):
        return Status.FAIL, reason, None
    at = last_change(evidence)
    if at is None:
        return Status.UNKNOWN, "neither a Deployment of the control plane nor a sync of it was seen", None
    return (
        Status.PASS,
        f"the control plane was last changed at {at:%Y-%m-%d %H:%M} UTC, and is rolled out",
        None,
    )


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
_LAUNCHES = "a launch in the benchmark database"

GATES = (
    Gate(
        "quota",
        "does the queue's quota, with what it may borrow, take so many?",
        _layer("kueue_available", "no quota of the launch's queue, or no request of an instance, is known"),
        "ClusterQueues, Cohorts and admitted Workloads of the cluster",
    ),
    Gate(
        "node headroom",
        "do so many fit on nodes, each pod on one?",
        _layer("node_fit", "no room on nodes, or no request of an instance, is known"),
        "Nodes and Pods of the cluster, with admitted Workloads",
    ),
    Gate("queue", "does the queue admit?", _queue_active, "ClusterQueues of the cluster", is_blocking=True),
    Gate(
        "pressure",
        "was the cluster under pressure at the last launch?",
        _pressure,
        _LAUNCHES,
        is_blocking=True,
    ),
    Gate(
        "Dapr readiness",
        "are the parent's workflow workers ready, and do they take so many?",
        _dapr,
        "a launch that names parentWorkflowEffectiveCapacity",
    ),
    Gate(
        "model limits",
        "does the model take so many requests at once?",
        _layer("model_requests", "neither a launch nor the configuration limits the model's requests"),
        f"the provider's limit, as BENCHMARK_MODEL_MAX_ACTIVE_REQUESTS_JSON of Deployment {DEPLOYMENT},",
    ),
    Gate(
        "agent turns",
        "are so many agent workflows allowed?",
        _layer(
            "agent_turns",
            "no launch limits them, and the configuration was not seen",
            unlimited=f"{DEPLOYMENT} sets no limit",
        ),
        f"Deployment {DEPLOYMENT}",
    ),
    Gate(
        "exact images",
        "have as many instances the image of their very commit?",
        _exact_images,
        "image builds of the benchmark database that name a base_commit",
    ),
    Gate("evaluator", "did the last launch get the evaluators it asked for?", _evaluator, _LAUNCHES),
    Gate(
        "run deadline",
        "is a run over before its one deadline?",
        _deadline,
        f"a launch with its timeout, and {FEWEST} completed sessions of the model,",
        is_blocking=True,
    ),
    Gate(
        "launch stability",
        "was the control plane left alone for two minutes?",
        _launch_stability,
        f"Deployment {DEPLOYMENT}, or its Application,",
        is_blocking=True,
    ),
    Gate(
        "leaks",
        "does nothing hold slots that it no longer needs?",
        _leases,
        "sessions of the benchmark database",
    ),
)
"""In the order in which they are shown."""
