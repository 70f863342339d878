"""Little's law on the data: what is in flight is what arrives times how long it stays.

L = lambda W holds for whatever is counted, in any order and with any distribution (Little 1961; Little 2011,
"Little's Law as Viewed on Its 50th Anniversary"). So where it does not hold in a window, either the window
was not steady or the data is not whole, and no curve should be fitted to it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from gitopslab.metrics.definitions import Definition
from gitopslab.metrics.steady_state import SteadyWindow

LITTLES_LAW = Definition(
    "littles_law",
    "steady windows",
    "a window of steady concurrency",
    "its end; in flight (L) against ends an hour (lambda) times the mean time to them (W)",
    "Little 1961",
)


class Balance(StrEnum):
    """What the comparison says of a window."""

    HOLDS = "holds"
    DRIFTS = "drifts"
    MORE_IN_FLIGHT = "more in flight"
    FEWER_IN_FLIGHT = "fewer in flight"


_MEANING = {
    Balance.HOLDS: "what was in flight is what ended times how long it took",
    Balance.DRIFTS: "more started than ended, or less: it was not steady, and says nothing of its level",
    Balance.MORE_IN_FLIGHT: (
        "sessions that never ended (leases that nobody gave back), ends that were not landed, or long"
        " sessions that are not over yet"
    ),
    Balance.FEWER_IN_FLIGHT: (
        "starts or leases that were not landed, or durations that hold time in which nothing was in flight,"
        " such as a wait for quota"
    ),
}


@dataclass(frozen=True)
class LittlesLaw:
    """Little's law in one window.

    Attributes:
        window: The window.
        in_flight: L, as it was counted.
        expected: Lambda times W.
        tolerance: How far apart they may be, as a share.
        balance: What that says.
        definition: What was compared.
    """

    window: SteadyWindow
    in_flight: float
    expected: float
    tolerance: float
    balance: Balance
    definition: Definition = LITTLES_LAW

    @property
    def holds(self) -> bool:
        """Whether the window may be fitted."""
        return self.balance is Balance.HOLDS

    @property
    def difference(self) -> float:
        """By which share more was in flight than expected; negative for fewer."""
        return self.in_flight / self.expected - 1

    @property
    def meaning(self) -> str:
        """What this can come from."""
        return _MEANING[self.balance]

    def __str__(self) -> str:
        return (
            f"{self.window.since:%Y-%m-%d %H:%M} UTC: {self.in_flight:.3g} in flight, {self.expected:.3g} by"
            f" Little's law ({self.difference:+.0%}), {self.balance}: {self.meaning}."
        )


@dataclass(frozen=True)
class LittlesLaws:
    """Little's law in each of some windows.

    Attributes:
        windows: One a window.
    """

    windows: tuple[LittlesLaw, ...]

    @property
    def held(self) -> list[SteadyWindow]:
        """The windows in which it holds: those that a curve may be fitted to."""
        return [each.window for each in self.windows if each.holds]

    @property
    def counts(self) -> dict[Balance, int]:
        """How many windows there are of each balance."""
        found = Counter(each.balance for each in self.windows)
        return {balance: found[balance] for balance in Balance if found[balance]}

    def __str__(self) -> str:
        if not self.windows:
            return "There is no steady window to hold Little's law to."
        counts = self.counts
        holding = f"Little's law holds in {counts.pop(Balance.HOLDS, 0):,} of {len(self.windows):,} windows"
        others = "; ".join(f"{count:,} {balance}: {_MEANING[balance]}" for balance, count in counts.items())
        return f"{holding}. {others[:1].upper()}{others[1:]}." if others else f"{holding}."


def littles_law(windows: Sequence[SteadyWindow], *, tolerance: float = 0.15) -> LittlesLaws:
    """Return the comparison in each window.

    Chance alone parts the two by about one in the root of the ends counted: where that is more than
    `tolerance`, it is allowed instead.

    Args:
        windows: The windows, with something that ended in each. To find what one source lost, take the
            concurrency of one source (leases) and the durations of another (instances).
        tolerance: How far apart they may be, as a share.
    """
    return LittlesLaws(tuple(_compared(window, tolerance) for window in windows))


def _compared(window: SteadyWindow, tolerance: float) -> LittlesLaw:
    expected = window.ended_count / (window.hours * 3600) * window.mean_seconds
    allowed = max(tolerance, 1 / window.ended_count**0.5)
    difference = window.concurrency / expected - 1
    drift = abs(window.last_concurrency - window.first_concurrency) / window.concurrency
    if abs(difference) <= allowed:
        balance = Balance.HOLDS
    elif drift > tolerance:
        balance = Balance.DRIFTS
    else:
        balance = Balance.MORE_IN_FLIGHT if difference > 0 else Balance.FEWER_IN_FLIGHT
    return LittlesLaw(window, window.concurrency, expected, allowed, balance)
