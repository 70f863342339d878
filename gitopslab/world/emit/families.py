"""The metrics that are scraped: Kueue, Argo CD, Tekton, and the pressure on nodes.

Source: kueue `pkg/metrics`, argo-cd `controller/metrics`, tekton `pkg/*metrics`, node_exporter,
kube-state-metrics. With argocd-agent the `argocd_app_*` are on spokes only.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Family:
    """A metric, whatever its labels say.

    Attributes:
        name: Its name; that of a counter is without `_total`, which its samples have.
        kind: What it measures.
        labels: Names of its labels, in the order in which samples have them.
        help: One line about it.
        buckets: Upper bounds of a histogram's buckets, without +Inf.
    """

    name: str
    kind: Literal["gauge", "counter", "histogram"]
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()


_KUEUE_WAITS = (1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120, 10240)
_TEKTON_DURATIONS = (10, 30, 60, 300, 900, 1800, 3600, 5400, 10800, 21600, 43200, 86400)
_QUEUE = ("cluster_queue", "priority_class", "replica_role")
_QUOTA = ("cohort", "cluster_queue", "flavor", "resource", "replica_role")
_APPLICATION = ("namespace", "name", "project", "dest_server")

KUEUE_PENDING = Family(
    "kueue_pending_workloads",
    "gauge",
    ("cluster_queue", "status", "replica_role"),
    "The number of pending workloads, per 'cluster_queue' and 'status'",
)
KUEUE_RESERVING = Family(
    "kueue_reserving_active_workloads",
    "gauge",
    ("cluster_queue", "replica_role"),
    "The number of Workloads that are reserving quota, per 'cluster_queue'",
)
KUEUE_ADMITTED = Family(
    "kueue_admitted_active_workloads",
    "gauge",
    ("cluster_queue", "replica_role"),
    "The number of admitted Workloads that are active, per 'cluster_queue'",
)
KUEUE_STATUS = Family(
    "kueue_cluster_queue_status",
    "gauge",
    ("cluster_queue", "status", "replica_role"),
    "Reports 'cluster_queue' with its 'status' (with possible values 'pending', 'active' or 'terminated')",
)
KUEUE_USAGE = Family(
    "kueue_cluster_queue_resource_usage", "gauge", _QUOTA, "Reports the cluster_queue's total resource usage"
)
KUEUE_RESERVATION = Family(
    "kueue_cluster_queue_resource_reservation",
    "gauge",
    _QUOTA,
    "Reports the cluster_queue's total resource reservation",
)
KUEUE_NOMINAL_QUOTA = Family(
    "kueue_cluster_queue_nominal_quota", "gauge", _QUOTA, "Reports the cluster_queue's resource nominal quota"
)
KUEUE_BORROWING_LIMIT = Family(
    "kueue_cluster_queue_borrowing_limit",
    "gauge",
    _QUOTA,
    "Reports the cluster_queue's resource borrowing limit; +Inf where there is none",
)
KUEUE_ADMISSIONS = Family(
    "kueue_admitted_workloads",
    "counter",
    _QUEUE,
    "The total number of admitted workloads per 'cluster_queue'",
)
KUEUE_QUOTA_WAIT = Family(
    "kueue_quota_reserved_wait_time_seconds",
    "histogram",
    _QUEUE,
    "The time between a workload was created or requeued until it got quota reservation",
    _KUEUE_WAITS,
)
KUEUE_ADMISSION_WAIT = Family(
    "kueue_admission_wait_time_seconds",
    "histogram",
    _QUEUE,
    "The time between a workload was created or requeued until admission",
    _KUEUE_WAITS,
)
KUEUE_EVICTIONS = Family(
    "kueue_evicted_workloads",
    "counter",
    ("cluster_queue", "reason", "underlying_cause", "priority_class", "replica_role"),
    "The number of evicted workloads per 'cluster_queue'",
)
KUEUE_PREEMPTIONS = Family(
    "kueue_preempted_workloads",
    "counter",
    ("preempting_cluster_queue", "reason", "replica_role"),
    "The number of preempted workloads per 'preempting_cluster_queue'",
)
ARGOCD_INFO = Family(
    "argocd_app_info",
    "gauge",
    (
        "namespace",
        "name",
        "project",
        "autosync_enabled",
        "repo",
        "dest_server",
        "dest_namespace",
        "sync_status",
        "health_status",
        "operation",
    ),
    "Information about application.",
)
ARGOCD_SYNCS = Family(
    "argocd_app_sync", "counter", (*_APPLICATION, "phase", "dry_run"), "Number of application syncs."
)
ARGOCD_SYNC_SECONDS = Family(
    "argocd_app_sync_duration_seconds",
    "counter",
    _APPLICATION,
    "Application sync performance in seconds total.",
)
ARGOCD_RECONCILE = Family(
    "argocd_app_reconcile",
    "histogram",
    ("namespace", "dest_server"),
    "Application reconciliation performance in seconds.",
    (0.25, 0.5, 1, 2, 4, 8, 16),
)
TEKTON_PIPELINERUN_SECONDS = Family(
    "tekton_pipelines_controller_pipelinerun_duration_seconds",
    "histogram",
    ("namespace", "pipeline", "status", "reason"),
    "The pipelinerun execution time in seconds",
    _TEKTON_DURATIONS,
)
TEKTON_PIPELINERUNS = Family(
    "tekton_pipelines_controller_pipelinerun", "counter", ("status",), "Number of pipelineruns"
)
TEKTON_TASKRUNS = Family("tekton_pipelines_controller_taskrun", "counter", ("status",), "Number of taskruns")
TEKTON_RUNNING = Family(
    "tekton_pipelines_controller_running_pipelineruns",
    "gauge",
    (),
    "Number of pipelineruns executing currently",
)
NODE_PRESSURE = tuple(
    Family(f"node_pressure_{resource}_seconds", "counter", ("instance",), f"Pressure stall: {about}")
    for resource, about in (
        ("cpu_waiting", "some task waited for a CPU"),
        ("memory_waiting", "some task waited for memory"),
        ("memory_stalled", "all tasks waited for memory"),
        ("io_waiting", "some task waited for IO"),
        ("io_stalled", "all tasks waited for IO"),
    )
)
NODE_CONDITION = Family(
    "kube_node_status_condition", "gauge", ("node", "condition", "status"), "The condition of a cluster node."
)
