"""Definitions of everything that a plan measures, by the ids that stand beside its numbers."""

from gitopslab.capacity.second_opinion import REPLAYED_RUN
from gitopslab.metrics.cost import COST_PER_RESOLVED, MARGINAL_COST
from gitopslab.metrics.definitions import Definition
from gitopslab.metrics.littles_law import LITTLES_LAW
from gitopslab.metrics.quality_knee import PLATFORM_KNEE, QUALITY_KNEE
from gitopslab.metrics.scaling_law import SCALING_LAW
from gitopslab.metrics.session_clock import SESSION_CLOCK
from gitopslab.metrics.steady_state import STEADY_THROUGHPUT
from gitopslab.metrics.waits import QUEUE_WAIT

CONCURRENCY = Definition(
    "concurrency",
    "sessions of a model",
    "an instance's pods were ready, or it was admitted; where no Workload was seen, its lease was taken",
    "quota or lease was given back; of a session, the mean of how many were in flight meanwhile",
    "Kueue's Workloads, and the benchmark database's leases where nobody saw those",
)
CARRIED = Definition(
    "carried_concurrency",
    "sessions of a model",
    "the session with the highest concurrency of the window",
    "the thirtieth: so many had at least that around them; of fewer than thirty the last",
    "a raise starts from what ran often enough to be known",
)
LEVEL_QUALITY = Definition(
    "level_quality",
    "instances",
    "an instance's last session ended, its concurrency within the level",
    "resolved, of those answered; infrastructure, time and stall, of those ended",
    "clustered by run; cancelled and open instances are in neither",
)
WAIT_FORECAST = Definition(
    "wait_forecast",
    "jobs",
    "a job queues now, behind as many as wait",
    "it gets quota; of 100 such intervals 80 hold the wait",
    "quantile tracking (Angelopoulos, Candès and Tibshirani 2023), over the last comparable jobs",
)
SPEED_CHANGE = Definition(
    "speed_change",
    "runs",
    "a run's sessions took longer, or shorter, than the law of all sessions says",
    "all later runs do too: what came before is left out",
    "E-divisive change points (Matteson and James 2014), on the median of each run",
)
KUEUE_SLOTS = Definition(
    "kueue_slots",
    "instances at once",
    "a queue's quota with what it may borrow in its cohort tree, less what is held",
    "it takes no further instance's bundle, of no resource",
    "Kueue, resource node arithmetic; the bundle is what most admitted instances asked for",
)
NODE_HEADROOM = Definition(
    "node_headroom",
    "instances at once",
    "what Nodes that take pods have allocatable, less what pods on them ask for",
    "a pod of the next instance fits on no node",
    "kube-scheduler's fit, pods placed where most memory is left; one packing of many",
)
EXACT_READY = Definition(
    "exact_ready",
    "instances",
    "an instance of the suite",
    "a validated build with a digest names its very base commit",
    "the benchmark database; a ceiling on distinct instances of a run",
)
PREDICTION = Definition(
    "prediction",
    "plans that were logged",
    "a plan said what is expected of a concurrency",
    "sessions ran with about so many around them: inside the interval or not, with allowance for chance",
    "gitopslab plan --log, and what happened while the prediction held",
)
DEFINITIONS = (
    CONCURRENCY,
    CARRIED,
    STEADY_THROUGHPUT,
    SCALING_LAW,
    SESSION_CLOCK,
    LITTLES_LAW,
    REPLAYED_RUN,
    QUALITY_KNEE,
    PLATFORM_KNEE,
    LEVEL_QUALITY,
    KUEUE_SLOTS,
    NODE_HEADROOM,
    EXACT_READY,
    QUEUE_WAIT,
    WAIT_FORECAST,
    COST_PER_RESOLVED,
    MARGINAL_COST,
    SPEED_CHANGE,
    PREDICTION,
)
"""What a plan measures, in the order in which its page shows it."""
