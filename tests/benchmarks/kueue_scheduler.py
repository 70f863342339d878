"""Kueue's published scheduler benchmark, replayed: 15,000 workloads in 30 queues of 5 cohorts.

Run as `python -m tests.benchmarks.kueue_scheduler`. The bar is 5 s for one replay. The scheduler's throughput
is calibrated on the published makespan alone; the rest stands beside what is published.
"""

import argparse
import time

from gitopslab.capacity.replay import scenario
from gitopslab.capacity.replay.scenario import PUBLISHED, Figures

BAR_SECONDS = 5.0
LINGERS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=3, help="the best of so many replays counts")
    arguments = parser.parse_args()
    pace, found = scenario.calibrated(scenario.run_baseline, PUBLISHED.makespan_seconds)
    print(f"one replay took {seconds(pace, arguments.repeat):.2f} s (bar {BAR_SECONDS:g} s)")
    print(f"calibrated on the makespan alone: {1 / pace.write_seconds:.1f} decisions a second\n")
    compare(found)
    explain(found)


def seconds(pace: scenario.Pace, repeat: int) -> float:
    """Return how long the quickest replay took."""
    best = float("inf")
    for _ in range(repeat):
        began = time.perf_counter()
        scenario.run_baseline(pace)
        best = min(best, time.perf_counter() - began)
    return best


def compare(found: Figures) -> None:
    print(f"{'':28}{'published':>12}{'replayed':>12}{'off':>10}")
    line("makespan, s (calibrated)", PUBLISHED.makespan_seconds, found.makespan_seconds)
    line("use of quota, %", 100 * PUBLISHED.use_ratio, 100 * found.use_ratio)
    for kind, published in PUBLISHED.seconds_to_admission.items():
        line(f"to admission, {kind}, s", published, found.seconds_to_admission[kind])
    print(f"{'evictions':28}{'':>12}{found.eviction_count:>12,}")


def line(name: str, published: float, replayed: float) -> None:
    print(f"{name:28}{published:12,.1f}{replayed:12,.1f}{replayed / published - 1:>+10.0%}")


def explain(found: Figures) -> None:
    """Say why the rest is off: what no scheduler could change, and what one more number explains."""
    _, jobs = scenario.baseline()
    work = sum(float(job.requests["cpu"]) * job.run_seconds for job in jobs)
    held = sum(float(job.requests["cpu"]) for job in jobs)
    quota = scenario.COHORTS * scenario.QUEUES * scenario.NOMINAL
    needed = work / (quota * PUBLISHED.makespan_seconds)
    linger = (PUBLISHED.use_ratio * quota * PUBLISHED.makespan_seconds - work) / held
    print(
        f"\nThe workloads run for {work:,.0f} CPU seconds, {needed:.1%} of the quota in the makespan;"
        f"\nno order of admission makes it more. A use of {PUBLISHED.use_ratio:.1%} means that quota is"
        f"\nused {linger:.2f} s longer than a workload runs: its end is written, seen, and taken into the"
        "\nstatus that use is read from, which Kueue writes once a second. The replay frees quota at once, so"
        "\nlarge workloads hardly wait for each other. With quota held longer, calibrated anew each time:\n"
    )
    kinds = tuple(PUBLISHED.seconds_to_admission)
    print(f"{'held longer, s':>16}{'a second':>10}{'use, %':>9}" + "".join(f"{kind:>9}" for kind in kinds))
    for each in LINGERS:
        pace, figures = scenario.calibrated(
            scenario.run_baseline, PUBLISHED.makespan_seconds, linger_seconds=each
        )
        waits = "".join(f"{figures.seconds_to_admission[kind]:9.1f}" for kind in kinds)
        print(f"{each:16.2f}{1 / pace.write_seconds:10.1f}{100 * figures.use_ratio:9.1f}{waits}")
    waits = "".join(f"{PUBLISHED.seconds_to_admission[kind]:9.1f}" for kind in kinds)
    print(f"{'published':>16}{'':>10}{100 * PUBLISHED.use_ratio:9.1f}{waits}")


if __name__ == "__main__":
    main()
