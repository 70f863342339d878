"""A plan: may so many run at once, what binds, what it would do, and what to do about it.

Source of the points: what a planner needs before a raise, of which no public tool has more than three.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from math import floor, inf, isinf, isnan
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from gitopslab.capacity.concurrency import explain_difference
from gitopslab.capacity.decision import Decision, Guard, Limit, decide
from gitopslab.capacity.evidence import Evidence
from gitopslab.capacity.expectation import Prediction, expect
from gitopslab.capacity.gates import Finding, Status, findings
from gitopslab.capacity.layers import KINDS
from gitopslab.capacity.predictions import Judged
from gitopslab.capacity.second_opinion import SecondOpinion, second_opinion
from gitopslab.metrics.change_points import ChangePoint, change_points
from gitopslab.metrics.cost import Costs, costs
from gitopslab.metrics.durations import Bootstrap
from gitopslab.metrics.freshness import Freshness, Input, freshness
from gitopslab.metrics.littles_law import LittlesLaws, littles_law
from gitopslab.metrics.quality_knee import QUALITY_KNEE, Knee, Quality, quality
from gitopslab.metrics.scaling_law import EXTRAPOLATION_LIMIT, ScalingFit
from gitopslab.metrics.scaling_windows import TooFewWindows, fit_scaling_law
from gitopslab.metrics.session_clock import TooFewSessions, fit_session_clock
from gitopslab.metrics.steady_state import steady_windows
from gitopslab.metrics.wait_forecast import QueuedJob, WaitCalibration, WaitForecast, replay
from gitopslab.metrics.waits import QueueWaits, queue_waits

if TYPE_CHECKING:
    import pandas as pd

_FEWEST = 30
"""So many sessions had it around them that a concurrency counts as carried."""
_ABOUT = {kind.name: kind.about for kind in KINDS}
_BINDING = {("kueue.x-k8s.io", "clusterqueues"), ("", "nodes"), ("", "pods"), ("apps", "deployments")}
"""Objects that layers and gates are read from, as they are now."""
_JUDGED = 100
_CHANCE = 0.05


@dataclass(frozen=True, eq=False)
class Plan:
    """All that is known of a question, and the decision.

    Attributes:
        evidence: What it rests on.
        decision: What to do.
        gates: What each gate found.
        limits: What bounds concurrency.
        changes: When sessions of the model got slower or faster for good; only what came after counts.
        sessions: Those that count.
        law: The law that predictions are made by: of windows where they bear one, else of sessions.
        scaling: The law fitted to steady windows.
        clock: The law fitted to how long each session took: the second opinion.
        balance: Little's law in each steady window.
        opinion: What a replay says of what was asked for; None where nothing was recorded to replay.
        quality: How good answers are against concurrency.
        costs: What a resolved task costs, by level.
        waits: By queue and priority.
        forecast: For a job that queues now; None where nothing comparable waited.
        calibration: How such forecasts did.
        freshness: Whether the inputs are recent enough.
        now: What is expected of what was carried so far.
        step: What is expected of what is recommended.
        asked: What is expected of what was asked for.
        outcomes: What came of predictions that are over, the newest first.
        differences: Where the application's reckoning is not what is really possible.
    """

    evidence: Evidence
    decision: Decision
    gates: tuple[Finding, ...]
    limits: tuple[Limit, ...]
    changes: tuple[ChangePoint, ...]
    sessions: "pd.DataFrame"
    law: ScalingFit | None
    scaling: ScalingFit | TooFewWindows
    clock: ScalingFit | TooFewSessions
    balance: LittlesLaws
    opinion: SecondOpinion | None
    quality: Quality
    costs: Costs
    waits: tuple[QueueWaits, ...]
    forecast: WaitForecast | None
    calibration: WaitCalibration
    freshness: Freshness
    now: Prediction
    step: Prediction
    asked: Prediction
    outcomes: tuple[Judged, ...]
    differences: tuple[str, ...]

    def __str__(self) -> str:
        model = self.evidence.question.model or "no model"
        where = self.evidence.question.cluster or "no cluster"
        return f"{model} on {where}: {self.decision}"

    @property
    def predictions(self) -> tuple[Prediction, ...]:
        """What is expected, by concurrency, ascending: of what was carried, recommended and asked for."""
        by_concurrency = {
            each.concurrency: each for each in (self.now, self.step, self.asked) if each.concurrency
        }
        return tuple(by_concurrency[place] for place in sorted(by_concurrency))

    @property
    def preemptor_count(self) -> int:
        """How many Workloads of other queues lost their quota to the launch's queue."""
        rows, queue = self.evidence.preemptions, self.evidence.queue
        return int((rows["preemptor_cluster_queue"].eq(queue) & ~rows["cluster_queue"].eq(queue)).sum())

    @property
    def victim_count(self) -> int:
        """How many Workloads of the launch's queue lost theirs."""
        return int(self.evidence.preemptions["cluster_queue"].eq(self.evidence.queue).sum())


def plan(evidence: Evidence) -> Plan:
    """Return the plan that evidence bears."""
    question = evidence.question
    bootstrap = Bootstrap(question.seed, question.samples)
    sessions, changes = _since_last_change(evidence.sessions, bootstrap)
    clock = fit_session_clock(sessions, bootstrap)
    balance = littles_law(steady_windows(sessions))
    scaling = fit_scaling_law(balance.held, bootstrap)
    quality_found = quality(sessions[sessions["is_last"].astype(bool)])
    gates = findings(evidence)
    law = next((fit for fit in (scaling, clock) if isinstance(fit, ScalingFit)), None)
    limits = _limits(evidence, quality_found, law, sessions)
    rests_on = [_input(sessions, question.model), *_looks(evidence)]
    fresh = freshness(rests_on, as_of=evidence.as_of, limit=question.greatest_age)
    current = carried(sessions) if question.current is None else question.current
    forecaster, calibration = replay(evidence.waits)
    job = _next_job(evidence)
    decision = decide(
        question.concurrency,
        current,
        limits,
        blockers=[str(each) for each in gates if each.is_blocking and each.status is Status.FAIL],
        withheld=_withheld(fresh, quality_found, evidence, current),
        step_share=question.step,
        guard=_guard(quality_found),
    )

    def expected(concurrency: int) -> Prediction:
        return expect(concurrency, evidence.waits, sessions, law, quality_found.levels)

    return Plan(
        evidence=evidence,
        decision=decision,
        gates=gates,
        limits=limits,
        changes=changes,
        sessions=sessions,
        law=law,
        scaling=scaling,
        clock=clock,
        balance=balance,
        opinion=second_opinion(
            evidence.recorded, evidence.queue, question.concurrency, current, law, seed=question.seed
        ),
        quality=quality_found,
        costs=_costs(sessions, quality_found, bootstrap),
        waits=tuple(queue_waits(evidence.waits)),
        forecast=forecaster.forecast(job) if job else None,
        calibration=calibration,
        freshness=fresh,
        now=expected(current),
        step=expected(decision.to),
        asked=expected(question.concurrency),
        outcomes=tuple(Judged.of(row) for row in evidence.outcomes),
        differences=explain_difference(evidence.platform, evidence.real)
        if evidence.platform and evidence.real
        else (),
    )


def carried(sessions: "pd.DataFrame") -> int:
    """Return the concurrency that at least 30 sessions had around them; of fewer, the least; 0 of none."""
    known = sorted(sessions["concurrency"].dropna(), reverse=True)
    return round(known[min(len(known), _FEWEST) - 1]) if known else 0


def _since_last_change(
    sessions: "pd.DataFrame", bootstrap: Bootstrap
) -> "tuple[pd.DataFrame, tuple[ChangePoint, ...]]":
    """Return the sessions since speed last changed for good, and all such changes.

    A run is one point: how much longer its completed sessions took than the law fitted to all says.
    """
    fit = fit_session_clock(sessions, Bootstrap(bootstrap.seed, 1))
    done = sessions[sessions["is_completed"].astype(bool) & sessions["concurrency"].notna()]
    if not isinstance(fit, ScalingFit) or done.empty:
        return sessions, ()
    seconds = (done["ended_at"] - done["started_at"]).dt.total_seconds() / done["work_units"].fillna(1).clip(
        lower=1
    )
    expected = np.array([each / fit.law.throughput(each) for each in done["concurrency"].clip(lower=1)])
    points = (
        done.assign(slower=np.log(seconds / expected))
        .groupby("run", sort=True)
        .agg(at=("started_at", "min"), slower=("slower", "median"))
        .dropna()
    )
    found = change_points(
        [at.to_pydatetime() for at in points["at"]], points["slower"].tolist(), seed=bootstrap.seed
    )
    if not found:
        return sessions, ()
    kept = sessions[sessions["started_at"] >= found[-1].at]
    return kept.reset_index(drop=True), tuple(found)


def _input(sessions: "pd.DataFrame", model: str) -> Input:
    started = sessions["started_at"]
    first, last = (None, None) if started.empty else (_time(started.min()), _time(started.max()))
    return Input(f"sessions of {model or 'any model'}", first, last)


def _looks(evidence: Evidence) -> list[Input]:
    """Return when that was looked at which binds; what nobody ever looked at is a gate's to say."""
    return [
        Input(
            f"looks at {look['resource']} of {look['cluster']}",
            look["first_looked_at"],
            look["last_looked_at"],
        )
        for look in evidence.looks
        if (look["api_group"], look["resource"]) in _BINDING
    ]


def _time(at: "pd.Timestamp") -> datetime:
    found: datetime = at.to_pydatetime()
    return found


def _limits(
    evidence: Evidence, found: Quality, fit: ScalingFit | None, sessions: "pd.DataFrame"
) -> tuple[Limit, ...]:
    layers = evidence.real.layers if evidence.real else ()
    limits = [
        Limit(_ABOUT[layer.name], max(0, layer.value), f"{layer.tag}, {layer.source}", is_shown=True)
        for layer in layers
        if layer.is_applied and layer.name not in {"requested", "selected"}
    ]
    if found.safe_concurrency is not None:
        limits += _quality_limits(found, found.safe_concurrency)
    if fit is not None and (knee_of_throughput := fit.knee) is not None:
        highest = knee_of_throughput.estimate
        limits.append(
            Limit(
                "throughput",
                max(1, floor(highest)),
                str(fit).rstrip("."),
                beyond=f"throughput is highest with {highest:.3g}",
            )
        )
    if sessions["concurrency"].notna().any():
        largest = float(sessions["concurrency"].max())
        limits.append(
            Limit(
                "what was observed",
                max(1, floor(EXTRAPOLATION_LIMIT * largest)),
                f"at most {largest:.3g} were in flight around a session, and nothing is known of more than a"
                " fifth above",
                beyond=f"at most {largest:.3g} were ever in flight, and nothing is known of more than a fifth"
                " above",
            )
        )
    return tuple(limits)


def _quality_limits(found: Quality, safe: float) -> Iterator[Limit]:
    """Yield up to where quality is not known to fall, and where it has fallen."""
    knees = [knee for knee in (found.answers, found.platform) if isinstance(knee, Knee)]
    first = min(knees, key=lambda knee: inf if knee.interval.low is None else knee.interval.low)
    yield Limit(
        "quality",
        max(1, floor(safe)),
        f"no more is shown to cost less than a tenth of the resolved. {str(found.answers).rstrip('.')}",
        beyond=_beyond(first),
        likely=None if isinf(first.interval.estimate) else first.interval.estimate,
    )
    answers = found.answers
    if isinstance(answers, Knee) and answers.interval.high is not None:
        yield Limit(
            "quality lost",
            floor(answers.interval.high),
            str(answers).rstrip("."),
            is_shown=True,
            beyond=f"by {answers.interval.high:.3g} at once {_lost(answers)}, {answers.level:.0%} sure",
        )


def _beyond(knee: Knee) -> str:
    low, high = knee.interval.low, knee.interval.high
    if low is None:
        limit = EXTRAPOLATION_LIMIT * knee.largest_observed
        return f"{_lost(knee)} nowhere up to {limit:.3g}, and more is not known"
    if high is None:
        return f"from {low:.3g} on it is not known whether {_lost(knee)}"
    return (
        f"{_lost(knee)} somewhere from {low:.3g} to {high:.3g}, most likely at {knee.interval.estimate:.3g}"
    )


def _lost(knee: Knee) -> str:
    what = (
        "the resolved is"
        if knee.definition is QUALITY_KNEE
        else "all sessions is, by the platform's failures,"
    )
    return f"a tenth of {what} lost"


def _withheld(fresh: Freshness, found: Quality, evidence: Evidence, current: int) -> list[str]:
    reasons = list(fresh.reasons)
    if evidence.launch is None:
        reasons.append("No launch is known there, so neither queue nor limits are.")
    if evidence.question.concurrency > current and found.safe_concurrency is None:
        reasons.append(f"Whether answers stay as good is not known. {found.answers}")
    return reasons


def _guard(found: Quality) -> Guard:
    """Return what ends a step: numbers that chance alone brings in one of twenty steps."""
    knee = found.answers
    low = found.levels[0] if found.levels else None
    if not isinstance(knee, Knee) or low is None or isnan(low.infrastructure.ratio):
        return Guard(
            "Stop when fewer are resolved, or more fail, than before; too few are known to say a number.",
            "Roll back on pressure that stops launches.",
        )
    fewest = int(stats.binom.ppf(_CHANCE, _JUDGED, knee.ratio))
    failed = low.infrastructure.ratio + low.timeout.ratio + low.stalled.ratio
    most = int(stats.binom.ppf(1 - _CHANCE, _JUDGED, failed))
    return Guard(
        f"Stop, and look, if fewer than {fewest} of the first {_JUDGED} answered instances are resolved"
        f" (at low concurrency {knee.ratio:.0%} are; chance alone does that in 1 of 20 steps).",
        f"Roll back if more than {most} of the first {_JUDGED} that end fail by infrastructure, time or stall"
        f" ({failed:.1%} did at low concurrency), or if pressure stops launches.",
    )


def _costs(sessions: "pd.DataFrame", found: Quality, bootstrap: Bootstrap) -> Costs:
    ended = sessions[sessions["concurrency"].notna() & sessions["is_last"].astype(bool)]
    if ended.empty:
        return Costs((), ())
    rows = ended.assign(
        hours=(ended["ended_at"] - ended["started_at"]).dt.total_seconds() / 3600,
        cost=ended["cost_usd"].astype(float),
        is_resolved=ended["outcome"].eq("resolved"),
    )
    # Levels of quality are too fine for costs: their marginal cost would be noise.
    levels = found.levels
    edges = [level.low for level in levels[1:]]
    chosen = edges[:: max(1, len(edges) // 3)][:3]
    return costs(rows, chosen, bootstrap)


def _next_job(evidence: Evidence) -> QueuedJob | None:
    """Return a job as it would queue now: behind all that wait, with the priority that most have."""
    waits = evidence.waits
    mine = waits[waits["cluster"].eq(evidence.question.cluster) & waits["cluster_queue"].eq(evidence.queue)]
    if mine.empty:
        return None
    priorities = Counter(mine["priority"].dropna().astype(int))
    priority = min(priorities, key=lambda each: (-priorities[each], each), default=None)
    waiting = int(mine["is_waiting"].dropna().sum())
    return QueuedJob(evidence.question.cluster, evidence.queue, priority, waiting)
