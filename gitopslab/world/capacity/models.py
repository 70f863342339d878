"""Models and tasks of a simulated benchmark: what is really true of them, and how contention changes it."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, sqrt

from gitopslab.world.random import hexadecimal, stream


@dataclass(frozen=True)
class Contention:
    """What many sessions at once do to each of them.

    Attributes:
        queueing: Share of the work that cannot be done side by side (sigma of the universal scalability law).
        crosstalk: What every pair of sessions costs (kappa of it).
        quality_knee: Sessions up to which answers are as good as they get.
        quality_loss: Share of its successes that a model loses far beyond that knee.
    """

    queueing: float = 0.004
    crosstalk: float = 0.00022
    quality_knee: float = 40
    quality_loss: float = 0.5

    def slowdown(self, sessions: float) -> float:
        """Return how many times as long a turn takes when so many sessions are active."""
        others = max(0.0, sessions - 1)
        return 1 + self.queueing * others + self.crosstalk * sessions * others

    def quality(self, sessions: float) -> float:
        """Return the share of its successes that a model keeps when so many sessions are active."""
        beyond = max(0.0, sessions - self.quality_knee)
        return 1 - self.quality_loss * (1 - exp(-beyond / self.quality_knee))

    @property
    def throughput_knee(self) -> float:
        """The number of sessions at which most work is done in all."""
        return sqrt((1 - self.queueing) / self.crosstalk)


@dataclass(frozen=True)
class Model:
    """A model with an agent around it.

    Attributes:
        name: As runs name it.
        label: As people do.
        ability: Log-odds of solving a task of difficulty 0.
        turn_seconds: Median of a turn with its tool calls, alone on the machine.
        turns: Median number of turns.
        empty_ratio: Share of sessions that end without a patch.
    """

    name: str
    label: str
    ability: float
    turn_seconds: float
    turns: float
    empty_ratio: float = 0.08
    contention: Contention = Contention()

    def patch_probability(self, sessions: float = 1) -> float:
        """Return how likely a session ends with a patch while so many are active."""
        return 1 - min(0.9, self.empty_ratio * (2 - self.contention.quality(sessions)))


DEEPSEEK = Model("deepseek-v4-pro", "DeepSeek V4 Pro", 0.5, 21, 19, 0.12)
KIMI = Model("kimi-k2.6", "Kimi K2.6", -0.3, 17, 24, 0.25, Contention(0.003, 0.00016, 56, 0.4))
CLAUDE = Model(
    "claude-sonnet-4-6", "Claude Sonnet 4.6", 1.1, 14, 22, 0.04, Contention(0.002, 0.0001, 72, 0.3)
)
MODELS = (DEEPSEEK, KIMI, CLAUDE)


@dataclass(frozen=True)
class Task:
    """An instance of a suite.

    Attributes:
        instance_id: `django__django-13513`.
        difficulty: Log-odds against a model of ability 0.
        flaky_ratio: How often a right patch fails its tests for no reason; 0 for almost all.
    """

    instance_id: str
    repository: str
    difficulty: float
    flaky_ratio: float

    @property
    def difficulty_label(self) -> str:
        """How long the task takes a person, as the data set's annotations say."""
        for bound, label in ((-1.0, "<15min"), (0.9, "15min-1h"), (2.3, "1h-4h")):
            if self.difficulty < bound:
                return label
        return ">4h"

    @property
    def tests(self) -> tuple[str, ...]:
        """Names of its tests: the first fails until the task is solved, the others pass before and after."""
        return tuple(
            f"tests/test_{self._module}.py::test_{hexadecimal(6, self.instance_id, name)}" for name in "abcd"
        )

    @property
    def patch(self) -> str:
        """A patch for it."""
        return (
            f"diff --git a/{self._module}/core.py b/{self._module}/core.py\n"
            f"--- a/{self._module}/core.py\n+++ b/{self._module}/core.py\n"
            "@@ -41,3 +41,4 @@\n     value = self.value\n"
            f"-    return value\n+    # {self.instance_id}\n+    return value or None\n"
        )

    @property
    def _module(self) -> str:
        return self.repository.rpartition("/")[2].replace("-", "_")

    def patch_correctness(self, model: Model, sessions: float = 1) -> float:
        """Return how likely a patch of `model` is right while so many sessions are active."""
        return model.contention.quality(sessions) / (1 + exp(self.difficulty - model.ability))

    def probability(self, model: Model, sessions: float = 1) -> float:
        """Return how likely `model` resolves it, flaky tests and broken infrastructure left aside."""
        return model.patch_probability(sessions) * self.patch_correctness(model, sessions)


_REPOSITORIES: Mapping[str, int] = {
    "astropy/astropy": 22,
    "django/django": 231,
    "matplotlib/matplotlib": 34,
    "mwaskom/seaborn": 2,
    "pallets/flask": 1,
    "psf/requests": 8,
    "pydata/xarray": 22,
    "pylint-dev/pylint": 10,
    "pytest-dev/pytest": 19,
    "scikit-learn/scikit-learn": 32,
    "sphinx-doc/sphinx": 44,
    "sympy/sympy": 75,
}
"""Tasks of each repository in SWE-bench Verified, 500 in all."""

_FLAKY_SHARE = 0.04


def tasks(seed: int) -> tuple[Task, ...]:
    """Return 500 tasks, spread over repositories as in SWE-bench Verified; their numbers are made up."""
    found = []
    for repository, count in _REPOSITORIES.items():
        random = stream(seed, "tasks", repository)
        prefix = repository.replace("/", "__")
        for number in sorted(random.sample(range(1_000, 30_000), count)):
            difficulty = random.gauss(0.4, 1.6)
            flaky = random.uniform(0.1, 0.4) if random.random() < _FLAKY_SHARE else 0.0
            found.append(Task(f"{prefix}-{number}", repository, difficulty, flaky))
    return tuple(found)


def base_commit(task: Task) -> str:
    """Return the commit that a task starts from."""
    return hexadecimal(40, "base", task.instance_id)
