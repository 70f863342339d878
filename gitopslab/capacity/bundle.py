"""What one benchmark instance asks for: fitted from what was admitted, beside what the platform models."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from statistics import median
from typing import Any

from gitopslab.capacity.slots import Amounts, add_up

_Pod = tuple[tuple[str, Decimal], ...]
_PodSet = tuple[int, dict[str, Decimal]]
_PODS = "pods"
_MILLI = Decimal(1000)
_MEBIBYTE = Decimal(2**20)


@dataclass(frozen=True)
class Bundle:
    """Pods of an instance, and what each asks for.

    Attributes:
        pods: Amounts of each pod, without the pod itself.
        n: Admitted instances that it was fitted from.
        share: Share of them that are exactly so.
        medians: Median over all of them of what an instance asks for in all, by resource; far from the fit
            where instances differ.
    """

    pods: tuple[Amounts, ...]
    n: int
    share: float
    medians: Amounts

    def __str__(self) -> str:
        amounts = ", ".join(written(resource, amount) for resource, amount in sorted(self.request.items()))
        return f"{amounts}: {self.share:.0%} of {self.n:,} admitted instances are exactly so."

    @property
    def request(self) -> dict[str, Decimal]:
        """What an instance asks for in all; its pods are counted as `pods`."""
        return add_up(self.pods) | {_PODS: Decimal(len(self.pods))}


def fit(rows: Iterable[Mapping[str, Any]]) -> Bundle | None:
    """Return the bundle that most admitted instances have; None where none was admitted.

    Args:
        rows: Those of `benchmark_instance_requests`; an attempt at an instance is one, however many Workloads
            it has. Of two bundles that are as frequent, the one that asks for less.
    """
    instances: dict[tuple[str, ...], dict[tuple[str, str], _PodSet]] = defaultdict(dict)
    for row in rows:
        instance = (
            row["cluster_uid"],
            row["benchmark_run_id"] or "",
            row["benchmark_instance_id"],
            row["agent_app_id"],
        )
        _, amounts = instances[instance].setdefault((row["uid"], row["pod_set"]), (row["pod_count"], {}))
        if row["resource"] != _PODS:
            amounts[row["resource"]] = Decimal(row["request_total"])
    shapes = Counter(_shape(pod_sets.values()) for pod_sets in instances.values())
    if not shapes:
        return None
    most = max(shapes.values())
    shape = min(found for found, count in shapes.items() if count == most)
    return Bundle(tuple(dict(pod) for pod in shape), shapes.total(), most / shapes.total(), _medians(shapes))


def compare(modelled: Amounts, fitted: Bundle) -> tuple[str, ...]:
    """Return a sentence for each resource that the platform models otherwise than it is admitted."""
    return tuple(
        f"An instance is modelled with {written(resource, modelled[resource])}"
        f" and admitted with {written(resource, amount)} ({float(amount / modelled[resource] - 1):+.1%})."
        for resource, amount in sorted(fitted.request.items())
        if modelled.get(resource) and modelled[resource] != amount
    )


def written(resource: str, amount: Decimal) -> str:
    """Return an amount in words: `450m CPU`, `1,792 MiB of memory`, `2 pods`."""
    if resource == "cpu":
        return f"{float(amount * _MILLI):,g}m CPU"
    if resource in {"memory", "ephemeral-storage"}:
        return f"{float(amount / _MEBIBYTE):,.6g} MiB of {resource}"
    return f"{float(amount):,g} {resource}"


def _shape(pod_sets: Iterable[_PodSet]) -> tuple[_Pod, ...]:
    """Return the pods of an instance, in an order that does not depend on names of pod sets."""
    return tuple(
        sorted(
            tuple(sorted((resource, total / count) for resource, total in amounts.items()))
            for count, amounts in pod_sets
            for _ in range(count)
        )
    )


def _medians(shapes: Counter[tuple[_Pod, ...]]) -> dict[str, Decimal]:
    values: dict[str, list[Decimal]] = defaultdict(list)
    for shape, count in shapes.items():
        request = add_up(dict(pod) for pod in shape) | {_PODS: Decimal(len(shape))}
        for resource, amount in request.items():
            values[resource] += [amount] * count
    return {resource: median(each) for resource, each in values.items()}
