"""Named scenarios: runs of the platform's history whose figures are known, with nothing else going on.

Each is one or more runs on a cluster without background work and without failures but those it tells of.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from gitopslab.world.capacity.layout import (
    COMPOSITE_BUNDLE,
    NOTHING,
    POD_BUNDLE,
    RAMP_QUOTA,
    UNRESERVED_MEMORY_BUNDLE,
    ClusterLayout,
    PodShape,
    dev,
    ryzen,
)
from gitopslab.world.capacity.models import DEEPSEEK, KIMI, Task
from gitopslab.world.capacity.plane import CapacityOptions, CapacityPlane
from gitopslab.world.capacity.runs import Fate, Faults, Outcome, RunPlan, nanoid
from gitopslab.world.clock import HOUR
from gitopslab.world.scale import ScenarioName

NO_FAULTS = Faults(0, 0, 0, 0)


@dataclass(frozen=True)
class Scenario:
    """A piece of history.

    Attributes:
        about: What happened.
        cluster: Where.
        layout: What the cluster had.
        plan: The run, made from the tasks there are.
        seconds: How long it takes to be over.
        ready_count: Instances of the suite whose exact image is there.
    """

    about: str
    cluster: str
    layout: ClusterLayout
    plan: Callable[[Sequence[Task]], RunPlan]
    seconds: float = 6 * HOUR
    ready_count: int = 0

    def options(self, options: CapacityOptions) -> CapacityOptions:
        """Return how the plane has to be; what the scenario leaves open is as in `options`."""
        return replace(
            options,
            layout=self.layout,
            faults=NO_FAULTS,
            has_load=False,
            has_runs=False,
            ready_count=self.ready_count,
        )

    def start(self, plane: CapacityPlane) -> None:
        """Launch the run in a plane that was made with these options."""
        plane.launch(self.plan(plane.tasks))


def _outcomes(tasks: Sequence[Task], resolved: int, unresolved: int, empty: int) -> dict[str, Fate]:
    counts: dict[Outcome, int] = {"resolved": resolved, "unresolved": unresolved, "empty_patch": empty}
    outcomes = [outcome for outcome, count in counts.items() for _ in range(count)]
    return {task.instance_id: Fate(outcome) for task, outcome in zip(tasks, outcomes, strict=False)}


def _historic_25(tasks: Sequence[Task]) -> RunPlan:
    return RunPlan(
        run_id=nanoid("historic-25-of-25"),
        model=DEEPSEEK,
        tasks=tuple(tasks[:25]),
        requested=25,
        max_turns=25,
        fates=_outcomes(tasks, 13, 7, 5),
    )


def _fifty(name: str, bundle: tuple[PodShape, ...]) -> Callable[[Sequence[Task]], RunPlan]:
    """Return a run of 50 at once that quota alone holds back; it is cancelled once all have started."""

    def plan(tasks: Sequence[Task]) -> RunPlan:
        return RunPlan(
            run_id=nanoid(name),
            model=DEEPSEEK,
            tasks=tuple(tasks[:50]),
            requested=50,
            max_turns=25,
            bundle=bundle,
            uses_kueue_limits=False,
            fates={tasks[7].instance_id: Fate(checkout_seconds=355.0)},
            cancelled_after_seconds=750,
        )

    return plan


def _composite_42(tasks: Sequence[Task]) -> RunPlan:
    plan = _fifty("bundle-42", COMPOSITE_BUNDLE)(tasks)
    return replace(plan, uses_kueue_limits=True, cancelled_after_seconds=None)


def _kimi_72(tasks: Sequence[Task]) -> RunPlan:
    return RunPlan(
        run_id=nanoid("dev-72-kimi"),
        model=KIMI,
        tasks=tuple(tasks[:72]),
        requested=72,
        uses_kueue_limits=False,
        configured_limit=80,
        fates=_outcomes(tasks, 22, 28, 22),
    )


def _deepseek_64(tasks: Sequence[Task]) -> RunPlan:
    return RunPlan(
        run_id=nanoid("dev-64-deepseek"),
        model=DEEPSEEK,
        tasks=tuple(tasks[:64]),
        requested=64,
        max_turns=25,
        uses_kueue_limits=False,
        configured_limit=80,
        fates=_outcomes(tasks, 33, 22, 9),
    )


def _kimi_24(tasks: Sequence[Task]) -> RunPlan:
    return RunPlan(
        run_id=nanoid("dev-24-kimi"),
        model=KIMI,
        tasks=tuple(tasks[:24]),
        requested=24,
        evaluator_fault="finalize",
    )


def _profile_timeouts(tasks: Sequence[Task]) -> RunPlan:
    fate = Fate(failure="workspace_profile_timeout")
    return RunPlan(
        run_id=nanoid("dev-177-profile-timeouts"),
        model=DEEPSEEK,
        tasks=tuple(tasks[:177]),
        requested=177,
        uses_kueue_limits=False,
        configured_limit=177,
        fates={task.instance_id: fate for task in tasks[:67]},
        cancelled_after_seconds=900,
    )


def _ryzen(
    name: str, bundle: tuple[PodShape, ...], *, is_clamped: bool
) -> Callable[[Sequence[Task]], RunPlan]:
    def plan(tasks: Sequence[Task]) -> RunPlan:
        chosen = tuple(tasks[:3])
        return RunPlan(
            run_id=nanoid(name),
            model=DEEPSEEK,
            tasks=chosen,
            requested=3,
            max_turns=10,
            bundle=bundle,
            uses_kueue_limits=is_clamped,
            fates={task.instance_id: Fate(turns=10) for task in chosen},
        )

    return plan


def _covered(tasks: Sequence[Task]) -> RunPlan:
    return RunPlan(
        run_id=nanoid("coverage-161"),
        model=DEEPSEEK,
        tasks=tuple(tasks[:_READY_COUNT]),
        requested=56,
        max_turns=25,
        uses_kueue_limits=False,
        timeout_seconds=4 * HOUR,
    )


_READY_COUNT = 161


def _astropy(resolved: int) -> Callable[[Sequence[Task]], RunPlan]:
    def plan(tasks: Sequence[Task]) -> RunPlan:
        chosen = [task for task in tasks if task.repository == "astropy/astropy"][:10]
        return RunPlan(
            run_id=nanoid("astropy", str(resolved)),
            model=DEEPSEEK,
            tasks=tuple(chosen),
            requested=10,
            fates=_outcomes(chosen, resolved or 4, 10 - (resolved or 4), 0),
            evaluator_fault="" if resolved else "environment",
        )

    return plan


_LONE_DEV = dev(borrowing=NOTHING)
_RAMP_DEV = dev(benchmark=RAMP_QUOTA, borrowing=NOTHING)

SCENARIOS: Mapping[ScenarioName, Scenario] = {
    "historic-25-of-25": Scenario(
        "25 instances, 25 at once; 9 evaluators of 24; 13 resolved, 7 not, 5 without a patch",
        "dev",
        dev(),
        _historic_25,
    ),
    "bundle-48": Scenario(
        "50 at once, of which quota admits 48, by memory, at two pods an instance; cancelled",
        "dev",
        _LONE_DEV,
        _fifty("bundle-48", POD_BUNDLE),
    ),
    "bundle-42": Scenario(
        "50 asked for, 42 given: what the application reckons an instance to request, at three pods",
        "dev",
        _LONE_DEV,
        _composite_42,
    ),
    "bundle-41": Scenario(
        "50 at once under the smaller quota, of which 41 are admitted, by disk: pods request no memory",
        "dev",
        _RAMP_DEV,
        _fifty("bundle-41", UNRESERVED_MEMORY_BUNDLE),
    ),
    "bundle-34": Scenario(
        "50 at once under the smaller quota, of which 34 are admitted, by memory, at two pods an instance",
        "dev",
        _RAMP_DEV,
        _fifty("bundle-34", POD_BUNDLE),
    ),
    "bundle-30": Scenario(
        "50 at once under the smaller quota, of which 30 are admitted, by memory, at three pods an instance",
        "dev",
        _RAMP_DEV,
        _fifty("bundle-30", COMPOSITE_BUNDLE),
    ),
    "dev-24-kimi": Scenario("24 of 24 inferred, and finalize fails", "dev", dev(), _kimi_24),
    "dev-64-deepseek": Scenario("64 at once, 33 resolved", "dev", dev(), _deepseek_64),
    "dev-72-kimi": Scenario("72 at once by borrowing: 22 resolved, 28 not, 22 empty", "dev", dev(), _kimi_72),
    "dev-177-profile-timeouts": Scenario(
        "177 at once, 67 of which never get their workspace; cancelled", "dev", dev(), _profile_timeouts
    ),
    "ryzen-3-to-2": Scenario(
        "3 asked for, 2 given: quota has room for more than the node",
        "ryzen",
        ryzen(),
        _ryzen("ryzen-3-to-2", COMPOSITE_BUNDLE, is_clamped=True),
    ),
    "ryzen-unschedulable": Scenario(
        "3 admitted, and 2 agent hosts fit on no node",
        "ryzen",
        ryzen(requested_memory="56064Mi"),
        _ryzen("ryzen-unschedulable", POD_BUNDLE, is_clamped=False),
    ),
    "astropy-0-of-10": Scenario(
        "10 patches, none passes: the tests' environment is broken", "dev", dev(), _astropy(0)
    ),
    "astropy-4-of-10": Scenario("the same tasks with a sound environment: 4 pass", "dev", dev(), _astropy(4)),
    "coverage-161": Scenario(
        "161 of 500 instances have the exact image of their environment, and no run can have more",
        "dev",
        dev(),
        _covered,
        ready_count=_READY_COUNT,
    ),
}
