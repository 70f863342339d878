"""GitOps events as the application keeps them: what its normaliser makes of each change that it is sent.

Its quirks are kept, for they are what an extractor meets: for Argo CD the message is that of health, not
of the operation; `gitSha` is a configuration sha there and a source sha for Tekton; a version of the
object is told from another by the API version, not by metadata.resourceVersion.

Source: workflow-builder `activity-events.ts`.
"""

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import msgspec

from gitopslab.world.emit.rows import ActivityEvent

Object = Mapping[str, Any]

_CLUSTERS = frozenset({"dev", "ryzen", "staging"})
_SOURCES = {"tekton.dev": "tekton", "promoter.argoproj.io": "promoter"}
_COMMIT_STATUSES = frozenset({"CommitStatus", "ArgoCDCommitStatus", "TimedCommitStatus"})
_SUCCEEDED = {"True": "Succeeded", "False": "Failed", "Unknown": "Running"}
_TAG = re.compile(r":git-([0-9a-f]{7,40})")
_SHA_PARAMS = ("git_sha", "git_revision", "git_revision_short")
_IMAGE_REF_RESULTS = ("image_ref", "IMAGE_REF")
_IMAGE_DIGEST_RESULTS = ("image_digest", "IMAGE_DIGEST")


def activity_event(
    item: Object, event_type: str, *, sequence: int, observed_at: float, resource: str
) -> ActivityEvent:
    """Return the row for a change of an object; it holds the object itself, so hand it on at once.

    Args:
        item: The object as it is after the change.
        event_type: ADD, UPDATE or DELETE, as Argo Events says it.
        sequence: The row's number; an event that comes again has burnt one.
        observed_at: When it was seen, seconds since the epoch.
        resource: The plural, such as applications.
    """
    group, _, version = item["apiVersion"].rpartition("/")
    metadata = item["metadata"]
    source = _source(group, item["kind"])
    correlation = {key: value for key, value in _correlation(item, event_type).items() if value}
    phase = _phase(item, source)
    named = {
        "group": group,
        "version": version,
        "resource": resource,
        "kind": item["kind"],
        "namespace": metadata.get("namespace"),
        "name": metadata["name"],
        "uid": metadata.get("uid"),
    }
    activity_type = _activity_type(source, item["kind"])
    identity = {
        "source": source,
        "activityType": activity_type,
        "eventType": event_type,
        "resource": named,
        "resourceVersion": metadata.get("resourceVersion"),
        "phase": phase,
        "correlation": correlation,
    }
    return ActivityEvent(
        event_id=f"gitops_{sha256(msgspec.json.encode(identity)).hexdigest()[:32]}",
        sequence=sequence,
        source=source,
        activity_key=_activity_key(correlation, source, named),
        activity_type=activity_type,
        phase=phase,
        reason=_reason(item, source),
        message=_message(item, source),
        **{f"resource_{key}": value for key, value in named.items()},
        observed_at=observed_at,
        correlation=correlation,
        raw={
            "type": event_type,
            **{key: named[key] for key in ("group", "version", "resource")},
            "body": item,
        },
        created_at=observed_at,
        updated_at=observed_at,
    )


def _source(group: str, kind: str) -> str:
    if group == "argoproj.io" and kind == "Application":
        return "argocd"
    return _SOURCES.get(group, "kubernetes")


def _activity_type(source: str, kind: str) -> str:
    if source == "kubernetes":
        return "kubernetes.resource"
    return f"{source}.{'commitstatus' if kind in _COMMIT_STATUSES else kind.lower()}"


def _succeeded(item: Object) -> Object:
    conditions = item.get("status", {}).get("conditions", ())
    return next((each for each in conditions if each["type"] == "Succeeded"), {})


def _phase(item: Object, source: str) -> str | None:
    status = item.get("status", {})
    if condition := _succeeded(item):
        return _SUCCEEDED[condition["status"]]
    health: str | None = status.get("health", {}).get("status")
    if source == "argocd":
        return health or status.get("sync", {}).get("status")
    if source == "promoter":
        is_moving = any("proposed" in each for each in status.get("environments", ()))
        return status.get("phase") or health or ("Progressing" if is_moving else "Ready")
    phase: str | None = status.get("phase")
    return phase


def _reason(item: Object, source: str) -> str | None:
    status = item.get("status", {})
    if source == "argocd":
        phase: str | None = status.get("operationState", {}).get("phase")
        return phase or status.get("sync", {}).get("status")
    reason: str | None = _succeeded(item).get("reason") or status.get("reason")
    return reason


def _message(item: Object, source: str) -> str | None:
    status = item.get("status", {})
    part = status.get("health", {}) if source == "argocd" else _succeeded(item) or status
    message: str | None = part.get("message")
    return message


def _correlation(item: Object, event_type: str) -> dict[str, str | None]:
    metadata, status, spec = item["metadata"], item.get("status", {}), item.get("spec", {})
    labels = metadata.get("labels", {})
    namespace, group = metadata.get("namespace"), item["apiVersion"].rpartition("/")[0]
    params = _texts(spec.get("params", ()))
    results = _texts(status.get("results", ()))
    image_ref = _first(results, _IMAGE_REF_RESULTS)
    revision = status.get("sync", {}).get("revision")
    return {
        "cluster": namespace if namespace in _CLUSTERS else None,
        "eventType": event_type,
        "pipelineRun": _name_of(item, "PipelineRun") or labels.get("tekton.dev/pipelineRun"),
        "taskRun": _name_of(item, "TaskRun"),
        "pipelineTask": labels.get("tekton.dev/pipelineTask"),
        "pullRequestNumber": params.get("pr_number") or labels.get("stacks.io/pr-number"),
        "buildLoop": labels.get("stacks.io/build-loop"),
        "imageName": params.get("image_name"),
        "imageRef": image_ref,
        "imageDigest": _first(results, _IMAGE_DIGEST_RESULTS),
        "gitSha": _git_sha(params, labels, image_ref) or revision,
        "argocdApp": metadata["name"] if group == "argoproj.io" else None,
        "syncRevision": revision,
        "syncStatus": status.get("sync", {}).get("status"),
        "healthStatus": status.get("health", {}).get("status"),
        "branch": spec.get("activeBranch") or spec.get("targetBranch"),
        "drySha": status.get("drySha"),
        "hydratedSha": status.get("hydratedSha"),
        "commitStatusKey": labels.get("promoter.argoproj.io/commit-status"),
    }


def _git_sha(params: Mapping[str, str], labels: Mapping[str, str], image_ref: str | None) -> str | None:
    tag = _TAG.search(image_ref or "")
    label = labels.get("workflow-builder.io/git-sha")
    return _first(params, _SHA_PARAMS) or label or (tag[1] if tag else None)


def _name_of(item: Object, kind: str) -> str | None:
    return item["metadata"]["name"] if item["kind"] == kind else None


def _texts(named: Any) -> dict[str, str]:
    return {each["name"]: each["value"] for each in named if isinstance(each.get("value"), str)}


def _first(values: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((values[name] for name in names if name in values), None)


def _activity_key(correlation: Mapping[str, str | None], source: str, named: Mapping[str, Any]) -> str:
    if image := correlation.get("imageName"):
        cluster = correlation.get("cluster")
        return f"{image}:{cluster}".lower() if cluster else image.lower()
    if application := correlation.get("argocdApp"):
        return application.lower()
    return f"{source}:{named['kind']}:{named['namespace']}/{named['name']}".lower()
