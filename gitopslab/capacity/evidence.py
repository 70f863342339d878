"""What a plan rests on: rows of a window, read once, with no part of them from after its end."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from gitopslab.capacity import bundle, inputs
from gitopslab.capacity.asked import Asked
from gitopslab.capacity.bundle import Bundle
from gitopslab.capacity.concurrency import Envelope, evaluate
from gitopslab.capacity.configuration import Configuration
from gitopslab.capacity.layers import Reading, platform_layers, real_layers
from gitopslab.capacity.replay.recording import Recording, recording
from gitopslab.errors import UsageError
from gitopslab.metrics.in_flight import mean_in_flight
from gitopslab.metrics.instance_outcomes import instance_outcomes
from gitopslab.window import Window

if TYPE_CHECKING:
    import pandas as pd

Row = Mapping[str, Any]

DEPLOYMENT = "workflow-builder"
"""The Deployment whose variables configure the platform."""

_REPLAYED = timedelta(days=14)


@dataclass(frozen=True)
class Question:
    """What is asked of a plan.

    Attributes:
        concurrency: Sessions at once, of all runs of the model together.
        window: What to look at; its end is the plan's now.
        cluster: Where; empty: where most sessions of the window were, or without any the last launch.
        model: The model; empty: the one with most sessions in the window.
        current: What runs at once today; None: what is known to have been carried.
        instance_count: Instances of the run that is planned; None: as many as the last launch had.
        greatest_age: How old the newest session, and the last look at what binds, may be before nothing is
            recommended.
        step: The share by which concurrency goes up at most before its effect is looked at.
        seed: Of every resample: the same seed gives the same plan.
        samples: Resamples behind intervals.
    """

    concurrency: int
    window: Window
    cluster: str = ""
    model: str = ""
    current: int | None = None
    instance_count: int | None = None
    greatest_age: timedelta = timedelta(days=14)
    step: float = 0.2
    seed: int = 7
    samples: int = 200


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known at the plan's now.

    Attributes:
        question: What was asked, with its cluster and model filled in.
        launch: The last launch there, a row of `launch_capacity_as_of`; None where none was seen.
        platform: What the application would give, by its own reckoning; None without a launch.
        real: What Kueue and the nodes would; None without a launch.
        is_queue_admitting: Whether the launch's queue admits; None where no such queue was seen.
        bundle: What an instance asks for, fitted from those admitted; None where none was.
        modelled: The same, as the application has it.
        sessions: Sessions of the model, each with its `outcome` and its `concurrency`.
        waits: Rows of `waits_in_window` of the launch's queue.
        preemptions: Rows of `preemptions_in_window` in which that queue took or lost.
        syncs: Rows of `sync_operations_in_window`, of Applications of the cluster.
        deployments: Rows of `deployments_as_of` of the cluster.
        is_configuration_known: Whether the Deployment was seen whose variables configure the platform.
        recorded: The cluster's queues and its last Workloads, to replay; None where no queue was seen.
        outcomes: Rows of `prediction_outcomes_as_of`.
        looks: Rows of `looks_as_of` of the cluster.
    """

    question: Question
    launch: Row | None
    platform: Envelope | None
    real: Envelope | None
    is_queue_admitting: bool | None
    bundle: Bundle | None
    modelled: Mapping[str, Any]
    sessions: "pd.DataFrame"
    waits: "pd.DataFrame"
    preemptions: "pd.DataFrame"
    syncs: tuple[Row, ...]
    deployments: tuple[Row, ...]
    is_configuration_known: bool
    recorded: Recording | None
    outcomes: tuple[Row, ...]
    looks: tuple[Row, ...]

    @property
    def as_of(self) -> datetime:
        """The plan's now."""
        return self.question.window.until

    @property
    def queue(self) -> str:
        """The last launch's ClusterQueue; empty where it is not known."""
        return str((self.launch or {}).get("cluster_queue") or "")

    @property
    def instance_count(self) -> int | None:
        """Instances of the run that is planned; None where nothing says how many."""
        asked = self.question.instance_count
        return asked if asked is not None else (self.launch or {}).get("selected_instance_count")

    def real_layer(self, name: str) -> Reading | None:
        """Return what one layer really allows; None where it is not known."""
        layers = self.real.layers if self.real else ()
        found = next((each for each in layers if each.name == name), None)
        return Reading(found.value, found.source, found.tag) if found else None


def gather(warehouse: Asked, question: Question) -> Evidence:
    """Return what the warehouse knows of a question.

    Raises:
        UsageError: The concurrency is below 1, or the model has no session in the window while others have.
    """
    if question.concurrency < 1:
        raise UsageError(f"plan: concurrency {question.concurrency}: ask for 1 or more")
    there = {"since": question.window.since, "until": question.window.until}
    now = {"as_of": question.window.until}
    everything = warehouse.run(
        "benchmark_sessions_in_window", **there, **now, cluster=question.cluster, model=""
    ).pandas()
    busiest = question.cluster or _busiest(everything, question.model)
    launches = warehouse.run("launch_capacity_as_of", **now, cluster=busiest, cluster_queue="").dicts()
    launch = launches[0] if launches else None
    cluster = busiest or (launch["cluster"] if launch else "") or ""
    everything = everything[everything["cluster"].eq(cluster)]
    question = replace(question, cluster=cluster, model=_model(everything, question.model))
    queue = (launch["cluster_queue"] if launch else "") or ""
    fitted = None
    if cluster:
        fitted = bundle.fit(
            warehouse.run(
                "benchmark_instance_requests_in_window", **there, cluster=cluster, cluster_queue=queue
            ).dicts()
        )
    there_now = {**now, "cluster": cluster}
    quotas = warehouse.run("queue_quotas_as_of", **there_now).dicts()
    cohorts = inputs.cohorts_of(quotas, warehouse.run("cohort_quotas_as_of", **there_now).dicts())
    admitting = next((each.admits for each in inputs.queues_of(quotas) if each.name == queue), None)
    variables = warehouse.run("deployment_variables_as_of", **there_now, deployment=DEPLOYMENT).dicts()
    rooms = inputs.rooms_of(
        warehouse.run("node_rooms_as_of", **there_now).dicts(),
        warehouse.run("resource_flavors_as_of", **there_now).dicts(),
        cohorts,
        queue,
    )
    readings = dict(Configuration.of(variables).readings(question.model)) if variables else {}
    readings |= _asked_for(question) | (_exact_ready(warehouse, question, launch) if launch else {})
    really = inputs.real_readings(launch, cohorts, fitted, rooms) if launch else {}
    return Evidence(
        question=question,
        launch=launch,
        platform=_platform(launch, readings) if launch else None,
        real=_real(launch, really, readings, is_admitting=admitting) if launch else None,
        is_queue_admitting=admitting,
        bundle=fitted,
        modelled=inputs.modelled_request(launch) if launch else {},
        sessions=_placed(everything[everything["model"].eq(question.model)]),
        waits=warehouse.run("waits_in_window", **there, **now, cluster_queue=queue).pandas(),
        preemptions=warehouse.run("preemptions_in_window", **there, **now, cluster_queue=queue).pandas(),
        syncs=tuple(
            row
            for row in warehouse.run("sync_operations_in_window", **there, environment="").dicts()
            if row["cluster"] == cluster
        ),
        deployments=tuple(warehouse.run("deployments_as_of", **there_now).dicts()),
        is_configuration_known=bool(variables),
        recorded=recording(warehouse, _replayed(question.window), cluster, question.window.until),
        outcomes=tuple(
            warehouse.run("prediction_outcomes_as_of", **now, cluster=cluster, model=question.model).dicts()
        ),
        looks=tuple(warehouse.run("looks_as_of", **there_now).dicts()),
    )


def _replayed(window: Window) -> Window:
    """Return the part of a window that is replayed: queues are as they are now, and were others long ago."""
    return Window(max(window.since, window.until - _REPLAYED), window.until)


def _busiest(sessions: "pd.DataFrame", model: str) -> str:
    """Return the cluster with most sessions of a model, or of any; empty where nothing tells."""
    asked = sessions[sessions["model"].eq(model)] if model else sessions
    return _most_frequent(asked["cluster"])


def _model(sessions: "pd.DataFrame", asked: str) -> str:
    known = sorted(sessions["model"].dropna().unique())
    if asked and known and asked not in known:
        raise UsageError(f"plan: model {asked!r} has no session then; known are {', '.join(known)}")
    return asked or _most_frequent(sessions["model"])


def _most_frequent(values: "pd.Series[str]") -> str:
    """Return the value that most have, of several the first by name; empty where there is none."""
    counts = values.dropna().value_counts()
    return min(counts.index, key=lambda each: (-counts[each], each), default="")


def _placed(sessions: "pd.DataFrame") -> "pd.DataFrame":
    """Return sessions with what came of each, and how many of them were in flight while it was."""
    return sessions.assign(
        run=sessions["benchmark_run_id"],
        outcome=instance_outcomes(sessions),
        concurrency=mean_in_flight(sessions),
        work_units=sessions["turn_count"].astype(float),
    ).reset_index(drop=True)


def _asked_for(question: Question) -> dict[str, Reading]:
    asked = {"requested": Reading(question.concurrency, "the question", "assumed")}
    if question.instance_count is not None:
        asked["selected"] = Reading(question.instance_count, "the question", "assumed")
    return asked


def _platform(launch: Row, readings: Mapping[str, Reading]) -> Envelope:
    found = _without_selection(inputs.platform_readings(launch)) | dict(readings)
    return evaluate(platform_layers(found, inputs.mode(launch)), inputs.pressure(launch))


def _real(
    launch: Row, found: Mapping[str, Reading], readings: Mapping[str, Reading], *, is_admitting: bool | None
) -> Envelope:
    known = _without_selection(found) | dict(readings)
    if is_admitting:
        known = _with_own_quota(known)
    return evaluate(real_layers(known, inputs.mode(launch)))


def _without_selection(readings: Mapping[str, Reading]) -> dict[str, Reading]:
    """Return readings without how many instances the last launch had: the next may have more."""
    return {name: each for name, each in readings.items() if name != "selected"}


def _with_own_quota(readings: Mapping[str, Reading]) -> dict[str, Reading]:
    """Return readings with what the queue owns: Kueue takes that back from whoever borrowed it."""
    found = dict(readings)
    nominal, available = found.get("kueue_nominal"), found.get("kueue_available")
    if nominal and available and nominal.value > available.value:
        found["kueue_available"] = replace(nominal, source=f"{nominal.source}, its own quota if taken back")
    return found


def _exact_ready(warehouse: Asked, question: Question, launch: Row) -> dict[str, Reading]:
    rows = warehouse.run(
        "exact_ready_as_of", as_of=question.window.until, database=launch["database"]
    ).dicts()
    found = next((row for row in rows if row["exact_build_count"]), None)
    if found is None:
        return {}
    source = f"{found['exact_ready_count']} of {found['instance_count']} instances have their exact image"
    return {"exact_ready": Reading(found["exact_ready_count"], source)}
