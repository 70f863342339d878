"""Arrivals that nobody recorded: at a fixed beat, or by chance."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from gitopslab.capacity.replay.model import Job


@dataclass(frozen=True)
class JobClass:
    """Jobs that are alike.

    Attributes:
        kind: What they are called together.
        requests: What each asks for.
        run_seconds: How long each runs.
    """

    kind: str
    priority: int
    requests: Mapping[str, Decimal]
    run_seconds: float


def at_a_beat(queue: str, jobs: JobClass, count: int, every_seconds: float) -> Iterator[Job]:
    """Yield `count` jobs, the first after one beat."""
    for number in range(1, count + 1):
        yield _job(queue, jobs, number, number * every_seconds, jobs.run_seconds)


def at_random(queue: str, jobs: JobClass, per_hour: float, seconds: float, *, seed: int) -> Iterator[Job]:
    """Yield jobs that arrive independently of each other, and run for exponentially distributed times.

    As textbooks have it (M/M/c), where Erlang's formula tells the wait.

    Args:
        queue: Their queue.
        jobs: What they are; `run_seconds` is the mean.
        per_hour: Mean arrivals an hour.
        seconds: For how long they arrive.
        seed: The same seed yields the same jobs.
    """
    chance = np.random.default_rng(seed)
    time, number = 0.0, 0
    while (time := time + float(chance.exponential(3_600 / per_hour))) < seconds:
        number += 1
        yield _job(queue, jobs, number, time, float(chance.exponential(jobs.run_seconds)))


def _job(queue: str, jobs: JobClass, number: int, created_at: float, run_seconds: float) -> Job:
    name = f"{queue}-{jobs.kind}-{number}"
    return Job(name, queue, jobs.priority, jobs.requests, created_at, run_seconds, kind=jobs.kind)
