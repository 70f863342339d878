"""Limits that the platform is configured with: environment variables of its Deployment, as readings.

Source: workflow-builder, `runtime-capacity.ts`; the first variable that says a number above 0 counts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from gitopslab.capacity.layers import Mode, Reading, capacity_mode

_LIMITS = {
    "requested": ("BENCHMARK_DEFAULT_CONCURRENCY",),
    "global_limit": ("BENCHMARK_MAX_ACTIVE_INFERENCE_INSTANCES",),
    "agent_turns": ("BENCHMARK_AGENT_WORKFLOW_MAX_ACTIVE_TURNS", "BENCHMARK_MAX_ACTIVE_AGENT_WORKFLOWS"),
    "sandbox_limit": ("BENCHMARK_MAX_ACTIVE_SANDBOXES",),
    "model_requests": ("BENCHMARK_MODEL_MAX_ACTIVE_REQUESTS", "BENCHMARK_MAX_ACTIVE_MODEL_REQUESTS"),
}
"""Variables of each layer, the first that is set before the others."""

_BY_MODEL = "BENCHMARK_MODEL_MAX_ACTIVE_REQUESTS_JSON"
_REPLICAS = "AGENT_RUNTIME_POOL_MAX_REPLICAS"
_SLOTS_BY_CLASS = "AGENT_RUNTIME_SLOTS_PER_REPLICA_JSON"
_PER_SIDECAR = (
    "DAPR_WORKFLOW_MAX_CONCURRENT_WORKFLOW_INVOCATIONS",
    "AGENT_RUNTIME_DAPR_WORKFLOW_LIMIT_PER_SIDECAR",
)
_DEFAULT_REQUESTED = 10
_DEFAULT_REPLICAS = 2
_DEFAULT_SLOTS = {"coding": 5, "office": 2, "browser": 1, "testing": 2}


@dataclass(frozen=True)
class Configuration:
    """Variables of the platform's Deployment, by name.

    Attributes:
        values: What each is set to.
        deployment: Where they are set, as readings name it.
    """

    values: Mapping[str, str]
    deployment: str

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]]) -> "Configuration":
        """Return what rows of `deployment_variables_as_of` tell; a reference to elsewhere has no value."""
        found = list(rows)
        name = found[0]["deployment"] if found else "nowhere"
        return cls({row["name"]: row["value"] for row in found if row["value"] is not None}, name)

    @property
    def mode(self) -> Mode:
        """How the application reckons, if a launch says nothing else."""
        backend = self.values.get("BENCHMARK_EXECUTION_BACKEND", "")
        return capacity_mode(backend, self.values.get("BENCHMARK_CAPACITY_MODE", ""))

    def readings(self, *model_names: str, runtime_class: str = "coding") -> dict[str, Reading]:
        """Return the limits that are configured, and defaults where the application has one.

        Args:
            model_names: Names that the model may be limited by: its own, its label, its agent's slug.
            runtime_class: Class of the shared agent runtime.
        """
        found = {layer: reading for layer, names in _LIMITS.items() if (reading := self._first(names))}
        found.setdefault("requested", Reading(_DEFAULT_REQUESTED, "the application's default", "assumed"))
        if limit := self._of_map(_BY_MODEL, *model_names):
            found["model_requests"] = limit
        return found | self._runtime(runtime_class)

    def _runtime(self, runtime_class: str) -> dict[str, Reading]:
        slots = self._of_map(_SLOTS_BY_CLASS, runtime_class) or _assumed(_DEFAULT_SLOTS.get(runtime_class, 1))
        replicas = self._first((_REPLICAS,)) or _assumed(_DEFAULT_REPLICAS)
        each = self._first(_PER_SIDECAR) or slots
        return {"runtime_slots": _product(replicas, slots), "sidecar_workflows": _product(replicas, each)}

    def _first(self, names: Iterable[str]) -> Reading | None:
        for name in names:
            if value := _positive(self.values.get(name)):
                return Reading(value, f"{self.deployment}, {name}")
        return None

    def _of_map(self, variable: str, *keys: str) -> Reading | None:
        try:
            limits = msgspec.json.decode(self.values.get(variable, "{}"), type=dict[str, Any])
        except msgspec.DecodeError:
            return None  # as the application, which takes what it cannot read for not set
        by_key = {name.lower(): limit for name, limit in limits.items()}
        for key in keys:
            if value := _positive(by_key.get(key.lower())):
                return Reading(value, f"{self.deployment}, {variable} of {key}")
        return None


def _positive(value: object) -> int | None:
    """Return a whole number above 0, written as a number or as text; None for all else."""
    text = str(value).strip()
    number = int(text) if text.isascii() and text.isdecimal() else 0
    return number or None


def _assumed(value: int) -> Reading:
    return Reading(value, "the application's default", "assumed")


def _product(replicas: Reading, each: Reading) -> Reading:
    tag = "assumed" if "assumed" in {replicas.tag, each.tag} else each.tag
    return Reading(replicas.value * each.value, f"{replicas.source} times {each.source}", tag)
