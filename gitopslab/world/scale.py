"""How large a simulated fleet is, and of what it consists: data only."""

from dataclasses import dataclass
from typing import Literal

ScaleName = Literal["small", "medium", "large"]
ScenarioName = Literal[
    "historic-25-of-25",
    "bundle-48",
    "bundle-42",
    "bundle-41",
    "bundle-34",
    "bundle-30",
    "dev-24-kimi",
    "dev-64-deepseek",
    "dev-72-kimi",
    "dev-177-profile-timeouts",
    "ryzen-3-to-2",
    "ryzen-unschedulable",
    "astropy-0-of-10",
    "astropy-4-of-10",
    "coverage-161",
]
"""A piece of the platform's history; `capacity/scenarios.py` tells each."""


@dataclass(frozen=True)
class Service:
    """Something built from the source repository and deployed to environments.

    Attributes:
        name: Also the name of its folder, image and Applications.
        environments: Where it is deployed to.
        share: Its share of all commits, relative to the others.
        wave_count: Sync waves of its manifests.
        has_migration: Whether a PreSync hook migrates its database.
        frozen_from: From which share of the world's time on its builds are no longer triggered.
    """

    name: str
    environments: tuple[str, ...] = ("dev", "staging")
    share: float = 1
    wave_count: int = 1
    has_migration: bool = False
    frozen_from: float = 1


@dataclass(frozen=True)
class Environment:
    """A place that changes arrive in.

    Attributes:
        name: What the truth calls it.
        lane: promoted, direct or manual.
        cluster: Whose Argo CD runs its Applications.
        branch: Its active branch; empty in the direct lane, which follows main.
        soak_seconds: For how long a release runs here before the next environment may have it.
        stopped_from: From which share of the world's time on nothing happens there any more.
    """

    name: str
    lane: Literal["promoted", "direct", "manual"]
    cluster: str
    branch: str = ""
    soak_seconds: float = 0
    stopped_from: float = 1


ENVIRONMENTS = (
    Environment("dev", "promoted", "dev", "env/spokes-dev", soak_seconds=600),
    Environment("staging", "promoted", "staging", "env/spokes-staging", stopped_from=0.6),
    Environment("ryzen", "direct", "ryzen"),
    Environment("hub", "manual", "hub", "env/hub"),
)
"""The lanes of the platform: promoted through branches, straight from main, and merged by a person."""

CLUSTERS = ("hub", "dev", "ryzen", "staging")

_EVERYWHERE = ("dev", "staging", "ryzen")

SERVICES = (
    Service("workflow-builder", _EVERYWHERE, share=4, wave_count=2, has_migration=True),
    Service("workflow-orchestrator", share=2, wave_count=2),
    Service("function-router", share=1.5),
    Service("workflow-mcp-server", _EVERYWHERE),
    Service("fn-system", share=0.6, frozen_from=0.5),
    Service("swebench-coordinator"),
    Service("session-host", share=1.5),
    Service("sandbox-execution-api", wave_count=2),
    Service("agent-runtime", share=2),
    Service("swebench-evaluator", share=0.8),
    Service("event-bridge", share=0.7),
    Service("model-gateway"),
    Service("capacity-observer", share=0.5),
    Service("preview-router", share=0.6),
    Service("artifact-store", share=0.4),
    Service("notifier", share=0.4),
)

COMPONENTS = ("tekton-triggers", "promoter-config", "kueue-queues", "observability")
"""Applications of the hub: manifests only, nothing is built for them."""


@dataclass(frozen=True)
class Scale:
    """How much happens.

    Attributes:
        name: What it is called by.
        service_count: So many of SERVICES.
        commits_per_day: Pushes to the source repository on a working day.
        config_changes_per_day: Commits to the config repository that no build made.
        refresh_seconds: How often Argo CD writes `reconciledAt` where nothing changed. It is 120 s by
            default in Argo CD; smaller scales say it less often, because it is most of what there is to see.
        queue_count: ClusterQueues.
        workloads_per_day: Workloads beside those of benchmark runs.
        benchmark_runs_per_day: Benchmark runs on a working day.
        instances_per_run: Instances of a benchmark run.
        activity_days: For how long the application's database keeps GitOps events, which hold whole objects.
        inventory_seconds: How often the inventory is fetched.
        scrape_seconds: How often Prometheus scrapes.
    """

    name: ScaleName
    service_count: int
    commits_per_day: float
    config_changes_per_day: float
    refresh_seconds: float
    queue_count: int
    workloads_per_day: float
    benchmark_runs_per_day: float
    instances_per_run: int
    activity_days: float
    inventory_seconds: float
    scrape_seconds: float

    @property
    def services(self) -> tuple[Service, ...]:
        """The services there are."""
        return SERVICES[: self.service_count]


SCALES: dict[ScaleName, Scale] = {
    "small": Scale(
        name="small",
        service_count=5,
        commits_per_day=3.5,
        config_changes_per_day=1,
        refresh_seconds=24 * 3600,
        queue_count=4,
        workloads_per_day=10,
        benchmark_runs_per_day=0.7,
        instances_per_run=10,
        activity_days=7,
        inventory_seconds=1800,
        scrape_seconds=7200,
    ),
    "medium": Scale(
        name="medium",
        service_count=6,
        commits_per_day=5,
        config_changes_per_day=1.5,
        refresh_seconds=12 * 3600,
        queue_count=8,
        workloads_per_day=25,
        benchmark_runs_per_day=1,
        instances_per_run=20,
        activity_days=4,
        inventory_seconds=1800,
        scrape_seconds=7200,
    ),
    "large": Scale(
        name="large",
        service_count=16,
        commits_per_day=60,
        config_changes_per_day=10,
        refresh_seconds=20 * 60,
        queue_count=30,
        workloads_per_day=400,
        benchmark_runs_per_day=6,
        instances_per_run=100,
        activity_days=1,
        inventory_seconds=3600,
        scrape_seconds=7200,
    ),
}
"""Over eight weeks, small is some 100 thousand object versions, medium 180 thousand, large 2.7 million."""
