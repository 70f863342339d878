"""A queue that is always full, whose law is known: N sessions at once, each slowed by the others."""

import heapq
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pandas as pd

from gitopslab.metrics.scaling_law import ScalingLaw

START = datetime(2026, 5, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Loop:
    """Runs that follow each other, each of `waves` times as many sessions as there are at once."""

    law: ScalingLaw
    scatter: float = 0.4

    def sessions(self, levels: list[int], waves: float, seed: int) -> pd.DataFrame:
        generator = np.random.default_rng(seed)
        parts, begin = [], 0.0
        for number, level in enumerate(levels):
            part = self._run(level, max(10, round(waves * level)), generator)
            part["run"] = f"run-{number}"
            part[["start", "end"]] += begin
            begin = part["end"].max() + 3600
            parts.append(part)
        rows = pd.concat(parts, ignore_index=True)
        for column, seconds in (("started_at", "start"), ("ended_at", "end")):
            rows[column] = START + pd.to_timedelta(rows[seconds], unit="s")
        return rows[["run", "started_at", "ended_at", "is_completed"]]

    def _run(self, level: int, count: int, generator: np.random.Generator) -> pd.DataFrame:
        """Sessions share a clock that runs slower with more in flight: one ends when it is at its end."""
        mean = 3600 / self.law.rate
        work = mean * generator.lognormal(-(self.scatter**2) / 2, self.scatter, count)
        now, clock, next_one = 0.0, 0.0, 0
        flying: list[tuple[float, int]] = []
        start, end = np.zeros(count), np.zeros(count)
        while next_one < count or flying:
            while next_one < count and len(flying) < level:
                start[next_one] = now
                heapq.heappush(flying, (clock + work[next_one], next_one))
                next_one += 1
            at, session = heapq.heappop(flying)
            n = len(flying) + 1
            now += (at - clock) * n * self.law.rate / self.law.throughput(n)
            clock, end[session] = at, now
        return pd.DataFrame({"start": start, "end": end, "is_completed": True})
