"""Layers of effective concurrency, as data: each is one bound on how many instances of a run go at once.

Two reckonings share one table: what the application computes at launch, and what Kueue and the nodes really
allow. A new layer is one entry of `KINDS`.

Source: workflow-builder, src/lib/server/benchmarks/{runtime,sandbox,dapr-workflow}-capacity.ts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Mode = Literal["manual", "auto", "kueue"]
Tag = Literal["measured", "calibrated", "assumed"]

_MANUAL_GLOBAL = 56
_ALL = frozenset[Mode]({"manual", "auto", "kueue"})
_NOT_KUEUE = frozenset[Mode]({"manual", "auto"})
_KUEUE = frozenset[Mode]({"kueue"})
_AUTO = frozenset[Mode]({"auto"})
_NEVER = frozenset[Mode]()
_KUEUE_BACKENDS = frozenset(
    {
        "dapr-kueue",
        "kueue-dapr",
        "kueue-agent-hosts",
        "agent-host-kueue",
        "host",
        "host-execution",
        "host-execution-plane",
    }
)


@dataclass(frozen=True)
class Reading:
    """A value that a layer takes, and where it is from.

    Attributes:
        value: Instances at once.
        source: The row or variable it was read from.
        tag: `measured`: read from an object or a row; `calibrated`: fitted to what happened before;
            `assumed`: a default, or somebody's word.
    """

    value: int
    source: str
    tag: Tag = "measured"


Readings = Mapping[str, Reading]
"""What is known, by the names of `KINDS`; what is not named is unknown, and bounds nothing."""


@dataclass(frozen=True)
class Layer:
    """A layer with its value.

    Attributes:
        name: As in `KINDS`.
        label: What the application calls it in `capacityLimiters`; empty where it never does.
        value: Instances at once.
        source: Where the value is from.
        tag: How sure it is.
        is_applied: Whether it bounds anything in this reckoning; else it is shown.
    """

    name: str
    label: str
    value: int
    source: str
    tag: Tag
    is_applied: bool

    def __str__(self) -> str:
        return f"{self.name} {self.value} ({self.tag}, {self.source})"


@dataclass(frozen=True)
class Kind:
    """What a layer is.

    Attributes:
        name: Its name.
        about: What it bounds, in a few words.
        label: The application's word for it; empty where it has none.
        applied_in: Modes in which the application applies it.
        named_in: Modes in which the application names it where its value is the one that was got; runtime
            slots also where they are not applied, by coincidence.
        real_in: Modes in which it really bounds a run.
    """

    name: str
    about: str
    label: str = ""
    applied_in: frozenset[Mode] = _ALL
    named_in: frozenset[Mode] = _ALL
    real_in: frozenset[Mode] = _NEVER


KINDS = (
    Kind("requested", "what was asked for", real_in=_ALL),
    Kind("selected", "the run's instances", "selected_instance_count", real_in=_ALL),
    Kind("exact_ready", "instances whose exact image is there", applied_in=_NEVER, real_in=_ALL),
    Kind(
        "runtime_slots",
        "slots of the agent runtime's replicas",
        "runtime_capacity",
        _NOT_KUEUE,
        real_in=_NOT_KUEUE,
    ),
    Kind("runtime_sessions", "sessions that its pool allows", applied_in=_NOT_KUEUE, real_in=_NOT_KUEUE),
    Kind("parent_workflows", "workflows of the parent's workers", "dapr_parent_capacity", real_in=_ALL),
    Kind(
        "sidecar_workflows",
        "workflows of the Dapr sidecars",
        "dapr_workflow_capacity",
        _NOT_KUEUE,
        real_in=_NOT_KUEUE,
    ),
    Kind("global_limit", "the limit of all runs together", "global_max", _NOT_KUEUE, _NOT_KUEUE),
    Kind("derived_limit", "the least of what auto mode knows", applied_in=_AUTO),
    Kind("agent_turns", "active turns of agent workflows", "agent_workflow_capacity", real_in=_ALL),
    Kind("sandbox_limit", "the configured limit of sandboxes", "sandbox_capacity", real_in=_ALL),
    Kind("queue_quota", "the queue's own quota, flavors added up", "kueue_capacity", _KUEUE, _KUEUE),
    Kind("live_nodes", "room on all nodes together", "kueue_capacity", _KUEUE, _KUEUE),
    Kind("queue_and_nodes", "the less of both, unsplit", "kueue_capacity", _KUEUE, _KUEUE),
    Kind("queue_quota_borrowing", "the same with borrowing limits, a missing one as 0", applied_in=_NEVER),
    Kind("schedulable_sandboxes", "sandboxes that fit now", "sandbox_schedulable_capacity"),
    Kind("model_requests", "requests that the model takes at once", "model_capacity", real_in=_ALL),
    Kind("kueue_nominal", "the queue's own quota, if it used nothing", applied_in=_NEVER),
    Kind("kueue_potential", "quota if nobody used anything", applied_in=_NEVER),
    Kind("kueue_available", "quota now, with what can be borrowed", applied_in=_NEVER, real_in=_ALL),
    Kind("node_fit", "room on nodes, each pod on one", applied_in=_NEVER, real_in=_ALL),
)
"""Every layer, in the order in which the application lists reasons."""

_SPLIT = ("queue_quota", "live_nodes", "queue_and_nodes")
_DERIVED_FROM = (
    "runtime_slots",
    "sidecar_workflows",
    "runtime_sessions",
    "agent_turns",
    "sandbox_limit",
    "model_requests",
)


def capacity_mode(backend: str, configured: str) -> Mode:
    """Return how the application reckons.

    Args:
        backend: `BENCHMARK_EXECUTION_BACKEND`, or what the run was launched with.
        configured: `BENCHMARK_CAPACITY_MODE`.
    """
    if backend.strip().lower().replace("_", "-") in _KUEUE_BACKENDS:
        return "kueue"
    return "auto" if configured.strip().lower() in {"auto", "dynamic"} else "manual"


def platform_layers(readings: Readings, mode: Mode) -> tuple[Layer, ...]:
    """Return the layers that the application reckons with, its own errors kept.

    Beyond the table's names it reads `total_sandboxes`: sandboxes that would fit on empty nodes.
    """
    known = _completed(readings, mode)
    return tuple(
        _layer(kind, known[kind.name], is_applied=mode in kind.applied_in, mode=mode)
        for kind in KINDS
        if kind.name in known and not (kind.name == "schedulable_sandboxes" and _knows_instances(known, mode))
    )


def real_layers(readings: Readings, mode: Mode = "kueue") -> tuple[Layer, ...]:
    """Return the layers that really bound a run, and beside them the application's own, not applied."""
    return tuple(
        _layer(kind, readings[kind.name], is_applied=mode in kind.real_in)
        for kind in KINDS
        if kind.name in readings
    )


def _layer(kind: Kind, reading: Reading, *, is_applied: bool, mode: Mode | None = None) -> Layer:
    label = kind.label if mode in kind.named_in else ""
    return Layer(kind.name, label, reading.value, reading.source, reading.tag, is_applied)


def _knows_instances(readings: Readings, mode: Mode) -> bool:
    return mode == "kueue" and any(name in readings for name in _SPLIT)


def _completed(readings: Readings, mode: Mode) -> dict[str, Reading]:
    """Return readings with the limit that the application takes where none is configured."""
    known = dict(readings)
    if "global_limit" in known or mode == "kueue":
        return known
    if mode == "manual":
        known["global_limit"] = Reading(_MANUAL_GLOBAL, "the application's default", "assumed")
    elif values := _derived(readings):
        least = min(values, key=lambda reading: reading.value)
        known["derived_limit"] = Reading(least.value, f"least of what is known: {least.source}", least.tag)
    return known


def _derived(readings: Readings) -> list[Reading]:
    total = readings.get("total_sandboxes") or readings.get("schedulable_sandboxes")
    parts = [readings.get(name) for name in _DERIVED_FROM]
    return [part for part in (*parts, total) if part is not None]
