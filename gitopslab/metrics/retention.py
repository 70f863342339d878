"""What controllers forget: which evidence an object holds, when it is lost, and what else tells of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from gitopslab.window import Window

# So soon after a window's start, what is known begins with the window.
_AT_ONCE = timedelta(days=1)


@dataclass(frozen=True)
class Retention:
    """What is missing of a kind that was looked at and not watched.

    Attributes:
        resource: The kind's plural name.
        lost: What nobody sees who was not watching.
        elsewhere: What else tells of it; empty where nothing does.
    """

    resource: str
    lost: str
    elsewhere: str = ""


RETENTIONS = (
    Retention(
        "applications",
        "syncs that failed or were retried, health between two looks, and successful syncs beyond the"
        " last ten (spec.revisionHistoryLimit)",
        "git tells the revisions, not when they were synced",
    ),
    Retention(
        "promotionstrategies",
        "promotions beyond the last five of an environment, and what its gates said meanwhile",
        "git tells every promotion: trailers on the active branches",
    ),
    Retention(
        "changetransferpolicies",
        "promotions beyond the last five, and what the gates said meanwhile",
        "git tells every promotion: trailers on the active branches",
    ),
    Retention(
        "pullrequests",
        "pull requests opened and merged between two looks: the object is deleted at once",
        "git tells those that were merged",
    ),
    Retention(
        "commitstatuses",
        "phases of gates: they are rewritten in place, without a time",
        "commit statuses of the git host",
    ),
    Retention("timedcommitstatuses", "phases of gates: they are rewritten in place"),
    Retention("argocdcommitstatuses", "phases of gates: they are rewritten in place"),
    Retention(
        "pipelineruns",
        "runs that a pruner deleted between two looks",
        "Tekton Results, where it is installed",
    ),
    Retention(
        "taskruns", "runs that were deleted with their PipelineRun", "Tekton Results, where it is installed"
    ),
    Retention(
        "workloads",
        "admissions and evictions between two looks, and Workloads deleted when they had finished",
        "counters of Prometheus tell how many, not which",
    ),
    Retention(
        "clusterqueues",
        "usage and quota between two looks: peaks",
        "Prometheus, where its metrics are enabled",
    ),
    Retention("localqueues", "usage between two looks: peaks", "Prometheus, where its metrics are enabled"),
    Retention("cohorts", "quota that was changed and changed back", "git, where quota is kept there"),
    Retention(
        "resourceflavors", "node labels that were changed and changed back", "git, where they are kept there"
    ),
    Retention("deployments", "rollouts that began and ended between two looks"),
    Retention("nodes", "nodes that came and went between two looks, and conditions meanwhile"),
    Retention(
        "pods",
        "pods that came and went between two looks: what they held of nodes",
        "Kueue's Workloads, of those that queue",
    ),
    Retention("events", "events older than an hour (--event-ttl) at the time of a look"),
)
"""By kind, in the order a change passes through them.

From the controllers' sources: Argo CD's `SetAppOperation` and `persistRevisionHistory`; the limit of five
entries that GitOps Promoter's `history` has; Tekton's pruners; Kueue's `objectRetentionPolicies`; the API
server's `--event-ttl`.
"""


def history_limits(edges: Sequence[Mapping[str, Any]], window: Window) -> list[str]:
    """Return what histories that controllers keep do not tell of `window`, a sentence each.

    Args:
        edges: Rows of queries/marts/history_edges.sql.
        window: The window that is asked about.
    """
    said = []
    for edge in edges:
        environment, since = edge["environment"], f"{edge['known_since']:%Y-%m-%d %H:%M} UTC"
        forgotten_count = int(edge["forgotten_count"] or 0)
        # Numbered from 0 without a hole: that there is nothing older is known.
        is_whole = edge["forgotten_count"] == 0
        is_late = edge["known_since"] > window.since + _AT_ONCE and not is_whole
        if is_late and edge["source"] == "Promoter history":
            said.append(
                f"Promotions into {environment} before {since} are known only from git:"
                " GitOps Promoter keeps the last five."
            )
        elif is_late:
            said.append(
                f"Syncs of {environment} before {since} are lost: Argo CD keeps the last ten successful ones,"
                " or as many as spec.revisionHistoryLimit says."
            )
        if forgotten_count:
            syncs = "1 sync" if forgotten_count == 1 else f"{forgotten_count:,} syncs"
            said.append(f"Argo CD forgot {syncs} of {environment} before anybody looked.")
    return said
