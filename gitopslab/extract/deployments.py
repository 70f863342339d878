"""Deployments and Pods: what containers are configured with, by an allow-list of environment variables.

Source: `deployments.apps/v1` and `pods/v1`; ReplicaSets, StatefulSets and DaemonSets where files hold them.
Needs:  RBAC `list` and `watch` on deployments and pods.
Limits: an environment variable that is not on the allow-list lands by its name only; what it is set to, and
        where from, is cut before anything is written. So is `last-applied-configuration`, which repeats it.
        A variable on the list that refers to a ConfigMap lands as the reference, not as its value.
"""

import fnmatch
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from gitopslab.settings import ENVIRONMENT_NAMES

_API_GROUPS = ("apps", "")
_RESOURCES = ("deployments", "replicasets", "statefulsets", "daemonsets", "pods")
_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")


def without_environment(rows: pa.Table, names: Sequence[str] = ENVIRONMENT_NAMES) -> pa.Table:
    """Return object versions with the environment of every container cut down to what may land.

    Args:
        rows: With the columns api_group, resource and body.
        names: Globs of the variables that keep their values.
    """
    is_workload = pc.and_(
        pc.is_in(rows["api_group"], pa.array(_API_GROUPS)), pc.is_in(rows["resource"], pa.array(_RESOURCES))
    )
    if not pc.any(is_workload).as_py():
        return rows
    kept = re.compile("|".join(map(fnmatch.translate, names)) or r"(?!)")
    cut = [_cut(body, kept) for body in rows["body"].filter(is_workload).to_pylist()]
    bodies = pc.replace_with_mask(rows["body"].combine_chunks(), is_workload.combine_chunks(), pa.array(cut))
    return rows.set_column(rows.schema.get_field_index("body"), "body", bodies)


def _cut(body: str, kept: re.Pattern[str]) -> str:
    workload = json.loads(body)
    _member(_member(workload, "metadata"), "annotations").pop(_APPLIED, None)
    for container in _containers(workload):
        if "envFrom" in container:
            container["envFrom"] = [{} for _ in _entries(container["envFrom"])]
        if "env" in container:
            container["env"] = [_variable(entry, kept) for entry in _entries(container["env"])]
    return json.dumps(workload, separators=(",", ":"))


def _variable(entry: dict[str, Any], kept: re.Pattern[str]) -> dict[str, Any]:
    name = entry.get("name")
    if isinstance(name, str) and kept.match(name):
        return entry
    reference: dict[str, Any] = {"valueFrom": {}} if "valueFrom" in entry else {}
    return {"name": name, **reference} if isinstance(name, str) else reference


def _containers(workload: dict[str, Any]) -> Iterator[dict[str, Any]]:
    own = _member(workload, "spec")
    for spec in (own, _member(_member(own, "template"), "spec")):
        for kind in _CONTAINERS:
            yield from _entries(spec.get(kind))


def _member(value: dict[str, Any], name: str) -> dict[str, Any]:
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def _entries(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
