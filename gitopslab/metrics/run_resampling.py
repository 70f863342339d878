"""Bootstrap over whole runs: what happened in one run has causes in common, and is drawn together.

Field and Welsh (2007), "Bootstrapping clustered data". Resampling windows or instances one by one takes them
for independent, and makes intervals too narrow.
"""

from collections.abc import Sequence

import numpy as np

from gitopslab.metrics.durations import Bootstrap


def run_weights(runs: Sequence[str], bootstrap: Bootstrap) -> np.ndarray:
    """Return how often each row counts in each resample of runs: a row a resample, a column a row given.

    Args:
        runs: The run of each row. Its order does not matter: runs are drawn in the order of their names.
        bootstrap: The seed, and how many resamples.
    """
    names, place = np.unique(np.asarray(runs, dtype=str), return_inverse=True)
    generator = np.random.default_rng(bootstrap.seed)
    drawn = generator.multinomial(len(names), np.full(len(names), 1 / max(1, len(names))), bootstrap.samples)
    found: np.ndarray = drawn[:, place].astype(float)
    return found
