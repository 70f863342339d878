"""Datasets of the lake: what is landed, a module a source. A new one is a new module, and a line here."""

from gitopslab.datasets import postgres
from gitopslab.datasets.capacity import PREDICTIONS
from gitopslab.datasets.dataset import Dataset
from gitopslab.datasets.git import GIT
from gitopslab.datasets.inventory import INVENTORY
from gitopslab.datasets.kubernetes import CHECKPOINTS, OBJECT_VERSIONS, VERSION_KEY
from gitopslab.datasets.landing import COVERAGE, EXTRACT_RUNS, LANDED_FILES, REJECTS
from gitopslab.datasets.prometheus import METRIC_SAMPLES

DATASETS = (
    OBJECT_VERSIONS,
    EXTRACT_RUNS,
    COVERAGE,
    REJECTS,
    LANDED_FILES,
    *GIT,
    *postgres.DATASETS,
    METRIC_SAMPLES,
    *INVENTORY,
    PREDICTIONS,
)

__all__ = (
    "CHECKPOINTS",
    "COVERAGE",
    "DATASETS",
    "EXTRACT_RUNS",
    "LANDED_FILES",
    "OBJECT_VERSIONS",
    "PREDICTIONS",
    "REJECTS",
    "VERSION_KEY",
    "Dataset",
)
