"""What a replay starts from: a cluster's queues as they are, and what was recorded of its Workloads."""

from dataclasses import dataclass
from datetime import datetime

from gitopslab.capacity.asked import Asked
from gitopslab.capacity.inputs import cohort_objects_of, queues_of
from gitopslab.capacity.replay.history import History, history
from gitopslab.capacity.replay.model import Plane, Policy
from gitopslab.window import Window


@dataclass(frozen=True)
class Recording:
    """A cluster's queues and the Workloads of a window.

    Attributes:
        plane: Queues as they were when the record ends.
        history: What was recorded.
    """

    plane: Plane
    history: History


def recording(warehouse: Asked, window: Window, cluster: str, as_of: datetime) -> Recording | None:
    """Return what is known of a cluster; None where no ClusterQueue was seen of it.

    Args:
        warehouse: What answers queries.
        window: Of the Workloads.
        cluster: Whose queues.
        as_of: What was known then.
    """
    there = {"as_of": as_of, "cluster": cluster}
    queues = queues_of(warehouse.run("queue_quotas_as_of", **there).dicts())
    if not queues:
        return None
    policies = warehouse.run("queue_policies_as_of", **there).dicts()
    plane = Plane(
        tuple(sorted(queues, key=lambda queue: queue.name)),
        cohort_objects_of(warehouse.run("cohort_quotas_as_of", **there).dicts()),
        {
            row["cluster_queue"]: Policy(
                row["queueing_strategy"], row["preempt_within_cluster_queue"], row["reclaim_within_cohort"]
            )
            for row in policies
        },
    )
    workloads = warehouse.run("workloads_to_replay", since=window.since, until=window.until, **there)
    requests = warehouse.run("workload_requests_as_of", **there)
    resources = {queue.name: queue.resources for queue in plane.queues}
    return Recording(plane, history(window, workloads.dicts(), requests.dicts(), resources))
