"""Kueue's objects as its API server returns them, for v1beta2 and for v1beta1 of Kueue 0.14."""

from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any

from gitopslab.capacity.cohort_tree import Quota
from gitopslab.capacity.slots import Amounts
from gitopslab.world.apiserver import Object
from gitopslab.world.capacity.layout import Container, PodShape, QueueLayout
from gitopslab.world.random import hexadecimal

GROUP = "kueue.x-k8s.io"
FINALIZER = f"{GROUP}/resource-in-use"
CURRENT, OLDER = f"{GROUP}/v1beta2", f"{GROUP}/v1beta1"
"""API versions: of Kueue 0.17, and of 0.14 and before."""

_BINARY = ("Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_DECIMAL = ("k", "M", "G", "T", "P", "E")
_IN_BYTES = frozenset({"memory", "ephemeral-storage"})


@lru_cache(maxsize=1 << 14)
def quantity(resource: str, amount: Decimal) -> str:
    """Return an amount as Go's resource.Quantity writes it: `33600m`, `84Gi`, `134`."""
    if resource in _IN_BYTES:
        return _with_suffix(int(amount), 1024, _BINARY)
    thousandths = int(amount * 1000)
    whole, fraction = divmod(thousandths, 1000)
    return f"{thousandths}m" if fraction else _with_suffix(whole, 1000, _DECIMAL)


def _with_suffix(number: int, base: int, suffixes: tuple[str, ...]) -> str:
    power = 0
    while number and number % base == 0 and power < len(suffixes):
        number, power = number // base, power + 1
    return f"{number}{suffixes[power - 1]}" if power else str(number)


def quantities(amounts: Amounts) -> dict[str, str]:
    """Return amounts as a map of quantities, in order of the resources' names as Go writes maps."""
    return {resource: quantity(resource, amounts[resource]) for resource in sorted(amounts)}


def resource_flavor(api_version: str, name: str, labels: dict[str, str]) -> Object:
    """Return a ResourceFlavor that stands for nodes with these labels."""
    return _declared(api_version, "ResourceFlavor", name) | {"spec": {"nodeLabels": labels}}


def admission_check(api_version: str, name: str) -> Object:
    """Return an AdmissionCheck that the platform's capacity observer decides."""
    spec = {"controllerName": "capacity-observer.example.com/psi-memory-pressure"}
    return _declared(api_version, "AdmissionCheck", name) | {"spec": spec}


def activate(check: Object, time: str) -> None:
    """Note in an AdmissionCheck that somebody decides it."""
    check["status"] = {}
    message = "The admission check is active"
    set_condition(check, "Active", status=True, reason="Active", message=message, time=time)


def cohort(api_version: str, name: str, parent: str | None) -> Object:
    """Return a Cohort without quota of its own."""
    return _declared(api_version, "Cohort", name, finalizers=False) | {
        "spec": {"parentName": parent} if parent else {}
    }


def cluster_queue(api_version: str, layout: QueueLayout) -> Object:
    """Return a ClusterQueue without a status."""
    is_older = api_version == OLDER
    spec: Object = {
        "cohort" if is_older else "cohortName": layout.cohort,
        "flavorFungibility": {
            "whenCanBorrow": "Borrow" if is_older else "MayStopSearch",
            "whenCanPreempt": "TryNextFlavor",
        },
        "namespaceSelector": {},
        "preemption": {
            "borrowWithinCohort": {"policy": "Never"},
            "reclaimWithinCohort": layout.preemption.reclaim_within_cohort,
            "withinClusterQueue": layout.preemption.within_cluster_queue,
        },
        "queueingStrategy": layout.strategy,
        "resourceGroups": [resource_group(layout)],
        "stopPolicy": "None",
    }
    if layout.admission_checks and is_older:
        spec["admissionChecks"] = list(layout.admission_checks)
    elif layout.admission_checks:
        checks = [{"name": name} for name in layout.admission_checks]
        spec["admissionChecksStrategy"] = {"admissionChecks": checks}
    return _declared(api_version, "ClusterQueue", layout.name) | {"spec": spec}


def resource_group(layout: QueueLayout) -> Object:
    """Return a queue's flavors and quotas as its spec has them."""
    return {
        "coveredResources": list(layout.flavors[0].quotas),
        "flavors": [
            {
                "name": flavor.flavor,
                "resources": [_quota(resource, quota) for resource, quota in flavor.quotas.items()],
            }
            for flavor in layout.flavors
        ],
    }


def _quota(resource: str, quota: Quota) -> Object:
    written = {"name": resource, "nominalQuota": quantity(resource, quota.nominal)}
    if quota.borrowing_limit is not None:
        written["borrowingLimit"] = quantity(resource, quota.borrowing_limit)
    if quota.lending_limit is not None:
        written["lendingLimit"] = quantity(resource, quota.lending_limit)
    return written


def local_queue(api_version: str, layout: QueueLayout) -> Object:
    """Return the LocalQueue that leads to a ClusterQueue, without a status."""
    queue = _declared(api_version, "LocalQueue", layout.name, layout.namespace, finalizers=False)
    return queue | {"spec": {"clusterQueue": layout.name, "stopPolicy": "None"}}


def local_queue_flavors(layout: QueueLayout, labels: Mapping[str, Mapping[str, str]]) -> list[Object]:
    """Return the flavors that the status of a LocalQueue lists in v1beta1, by the labels of their nodes."""
    return [
        {"name": each.flavor, "nodeLabels": dict(labels[each.flavor]), "resources": sorted(each.quotas)}
        for each in layout.flavors
    ]


def priority_class(api_version: str, name: str, value: int) -> Object:
    """Return a WorkloadPriorityClass."""
    return _declared(api_version, "WorkloadPriorityClass", name, finalizers=False) | {"value": value}


def workload(  # noqa: PLR0913 - each is one field of a Workload
    api_version: str,
    *,
    name: str,
    namespace: str,
    queue: str,
    priority_class: str,
    priority: int,
    pods: tuple[PodShape, ...],
    labels: dict[str, str],
    owners: list[Object],
) -> Object:
    """Return a Workload as Kueue creates it for a job, without a status.

    `labels` are the pods' own, by which a Workload is joined to what it runs for. Pods that queue themselves
    carry Kueue's labels too; a Job carries those itself, and its pods do not.
    """
    count = sum(shape.count for shape in pods)
    template = (
        _job_template(labels, owners[0]["name"], owners[0]["uid"])
        if owners[0]["kind"] == "Job"
        else _pod_template(labels, queue, priority_class, group=name if len(owners) > 1 else "", count=count)
    )
    spec: Object = {
        "active": True,
        "podSets": [_pod_set(shape, template, is_alone=len(pods) == 1) for shape in pods],
        "priority": priority,
        "queueName": queue,
    }
    if api_version == OLDER:
        spec |= {"priorityClassName": priority_class, "priorityClassSource": f"{GROUP}/workloadpriorityclass"}
    else:
        reference = {"group": GROUP, "kind": "WorkloadPriorityClass", "name": priority_class}
        spec["priorityClassRef"] = reference
    item = _object(api_version, "Workload", name, namespace)
    metadata = item["metadata"]
    metadata["ownerReferences"] = owners
    if len(owners) > 1:
        metadata["annotations"] = {f"{GROUP}/is-group-workload": "true"}
    else:
        metadata["labels"] = {f"{GROUP}/job-uid": owners[0]["uid"]}
    return item | {"spec": spec}


def pod_owner(name: str, uid: str, *, is_controller: bool = False) -> Object:
    """Return a reference to a pod: the only one of a Workload, or one of a group's."""
    return _owner("v1", "Pod", name, uid, is_controller=is_controller)


def job_owner(name: str, uid: str) -> Object:
    """Return a reference to the Job that a Workload is for."""
    return _owner("batch/v1", "Job", name, uid, is_controller=True)


def _owner(api_version: str, kind: str, name: str, uid: str, *, is_controller: bool) -> Object:
    owner: Object = {"apiVersion": api_version, "kind": kind, "name": name, "uid": uid}
    return owner | ({"blockOwnerDeletion": True, "controller": True} if is_controller else {})


def workload_name(kind: str, name: str, uid: str) -> str:
    """Return the name of the Workload of one owner, of kind `job` or `pod`: a piece of a hash ends it."""
    return f"{kind}-{name}-{hexadecimal(5, kind, name, uid)}"


def _job_template(labels: dict[str, str], name: str, uid: str) -> Object:
    """Return the metadata of a Job's pods, which the API server labels under both of its names."""
    owner = {"controller-uid": uid, "job-name": name}
    return {"labels": labels | {f"batch.kubernetes.io/{key}": value for key, value in owner.items()} | owner}


def _pod_template(
    labels: dict[str, str], queue: str, priority_class: str, *, group: str, count: int
) -> Object:
    """Return the metadata of pods that queue by themselves, or as a group of that name."""
    queued = {
        f"{GROUP}/managed": "true",
        f"{GROUP}/priority-class": priority_class,
        f"{GROUP}/queue-name": queue,
    }
    if not group:
        return {"labels": labels | queued}
    return {
        "annotations": {f"{GROUP}/pod-group-total-count": str(count)},
        "labels": labels | queued | {f"{GROUP}/pod-group-name": group},
    }


def _pod_set(shape: PodShape, template: Object, *, is_alone: bool) -> Object:
    return {
        "count": shape.count,
        "name": pod_set_name(shape.role, is_alone=is_alone),
        "template": {
            "metadata": template,
            "spec": _POD_DEFAULTS
            | {"containers": [_CONTAINER_DEFAULTS | _container(part) for part in shape.containers]},
        },
    }


def _container(container: Container) -> Object:
    return {
        "image": container.image,
        "name": container.name,
        "resources": {"requests": quantities(container.requests)},
    }


_POD_DEFAULTS = {
    "dnsPolicy": "ClusterFirst",
    "restartPolicy": "Never",
    "schedulerName": "default-scheduler",
    "securityContext": {},
    "terminationGracePeriodSeconds": 30,
}
_CONTAINER_DEFAULTS = {
    "imagePullPolicy": "IfNotPresent",
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
}
"""What the API server fills in where a pod does not say it."""


@lru_cache
def pod_set_name(role: str, *, is_alone: bool) -> str:
    """Return a pod set's name: `main`, or in a pod group the hash of the pods' role."""
    return "main" if is_alone else hexadecimal(8, "role", role)


def set_condition(  # noqa: PLR0913 - each is one field of a condition
    item: Object, kind: str, *, status: bool, reason: str, message: str, time: str
) -> bool:
    """Set a condition of an object's status as apimachinery does: its time moves with its status only.

    Returns:
        Whether anything changed.
    """
    conditions: list[dict[str, Any]] = item["status"].setdefault("conditions", [])
    wanted = {
        "lastTransitionTime": time,
        "message": message[:32_768],
        "observedGeneration": item["metadata"].get("generation", 1),
        "reason": reason,
        "status": "True" if status else "False",
        "type": kind,
    }
    for condition in conditions:
        if condition["type"] != kind:
            continue
        if condition["status"] == wanted["status"]:
            wanted["lastTransitionTime"] = condition["lastTransitionTime"]
        if condition == wanted:
            return False
        condition.update(wanted)
        return True
    conditions.append(wanted)
    return True


def condition(item: Object, kind: str) -> Object | None:
    """Return a condition of an object's status, if it has it."""
    conditions: list[Object] = item.get("status", {}).get("conditions", [])
    return next((found for found in conditions if found["type"] == kind), None)


def _declared(
    api_version: str, kind: str, name: str, namespace: str = "", *, finalizers: bool = True
) -> Object:
    """Return an object that Argo CD applies, and tracks by an annotation."""
    item = _object(api_version, kind, name, namespace, finalizers=finalizers)
    tracked = f"{_APPLICATION}:{GROUP}/{kind}:{namespace or _APPLICATION_NAMESPACE}/{name}"
    item["metadata"]["annotations"] = {"argocd.argoproj.io/tracking-id": tracked}
    return item


_APPLICATION, _APPLICATION_NAMESPACE = "kueue-queues", "kueue-system"
"""The Application that declares queues, and the namespace it names for what has none of its own."""


def _object(
    api_version: str, kind: str, name: str, namespace: str = "", *, finalizers: bool = True
) -> Object:
    metadata: Object = {"name": name}
    if namespace:
        metadata["namespace"] = namespace
    if finalizers:
        metadata["finalizers"] = [FINALIZER]
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}
