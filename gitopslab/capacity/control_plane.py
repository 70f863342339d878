"""What launches benchmark runs: whether it is rolled out, and was left alone long enough for a launch.

Source: workflow-builder, `launch-stability.ts`, which starts no run within two minutes of a rollout.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from gitopslab.capacity.evidence import Evidence
from gitopslab.metrics.durations import human

STABLE = timedelta(seconds=120)
"""For so long nothing of the control plane may have been rolled out."""

_LONGEST_SYNC = timedelta(hours=1)
"""A sync that is not over by then was not seen to end."""

PARENT = "workflow-orchestrator"
"""The Deployment whose pods run the parents' workflows."""

_NAMES = frozenset({"workflow-builder", PARENT, "swebench-coordinator"})


def readiness(evidence: Evidence) -> tuple[bool | None, str]:
    """Return whether all pods of the parents' workflows are ready, and a clause on it; None: nobody saw."""
    found = next((row for row in _deployments(evidence) if row["deployment"] == PARENT), None)
    if found is None or found["ready_replica_count"] is None:
        return None, ""
    ready, wanted = found["ready_replica_count"], found["wanted_replica_count"]
    return ready >= wanted, f"{ready:,} of {wanted:,} replicas of {PARENT} are ready"


def instability(evidence: Evidence) -> str:
    """Return why no run would start now, a clause; empty where nothing known says so."""
    return next(_unstable(evidence), "")


def last_change(evidence: Evidence) -> datetime | None:
    """Return when anything of the control plane was last rolled out or synced; None where nobody saw it."""
    times = [row["progressed_at"] for row in _deployments(evidence)]
    times += [row["finished_at"] for row in _syncs(evidence)]
    return max((time for time in times if time is not None), default=None)


def _unstable(evidence: Evidence) -> Iterator[str]:
    within = human(STABLE.total_seconds())
    for row in _deployments(evidence):
        if row["is_rolled_out"] is False:
            counts = (row[f"{each}_replica_count"] for each in ("updated", "ready", "wanted"))
            yield "{} is not rolled out: {:,} replicas are updated and {:,} ready, of {:,} wanted".format(
                row["deployment"], *counts
            )
        if row["progressed_at"] is not None and evidence.as_of - row["progressed_at"] < STABLE:
            yield f"{row['deployment']} was rolled out within the last {within}"
    for row in reversed(_syncs(evidence)):
        if row["finished_at"] is None and evidence.as_of - row["started_at"] < _LONGEST_SYNC:
            yield f"{row['application']} is being synced since {row['started_at']:%Y-%m-%d %H:%M} UTC"
        elif row["finished_at"] is not None and evidence.as_of - row["finished_at"] < STABLE:
            yield f"{row['application']} was synced within the last {within}"


def _deployments(evidence: Evidence) -> list[Mapping[str, Any]]:
    return [row for row in evidence.deployments if row["deployment"] in _NAMES]


def _syncs(evidence: Evidence) -> list[Mapping[str, Any]]:
    """Return the last operation of each Application of the control plane, in the order of their starts."""
    last = {row["application"]: row for row in evidence.syncs if row["service"] in _NAMES}
    return sorted(last.values(), key=lambda row: row["started_at"])
