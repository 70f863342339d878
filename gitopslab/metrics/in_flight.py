"""How many sessions were in flight at any time: a step function of their starts and ends."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class InFlight:
    """How many sessions were in flight, as it went up and down.

    Attributes:
        at: Seconds since 1970 at which the number changed, ascending, each once.
        count: Sessions from each of them to the next; the last is what is open at the end.
    """

    at: np.ndarray
    count: np.ndarray

    @property
    def seconds(self) -> np.ndarray:
        """How long each number held; 0 for the last."""
        return np.diff(self.at, append=self.at[-1:])

    def place(self, times: np.ndarray) -> np.ndarray:
        """Return which step holds at each of `times`."""
        return np.searchsorted(self.at, times, side="right") - 1

    def place_before(self, times: np.ndarray) -> np.ndarray:
        """Return which step holds just before each of `times`: a session that ends then is still in it."""
        return np.searchsorted(self.at, times, side="left") - 1

    def integral(self, weight: np.ndarray, since: np.ndarray, until: np.ndarray) -> np.ndarray:
        """Return the integral over time of a `weight` that holds with each step, from `since` to `until`."""
        up_to = np.concatenate([[0.0], np.cumsum(weight * self.seconds)])

        def total(times: np.ndarray) -> np.ndarray:
            within = np.maximum(times, self.at[0])
            place = self.place(within)
            found: np.ndarray = up_to[place] + weight[place] * (within - self.at[place])
            return found

        found: np.ndarray = total(until) - total(since)
        return found

    def mean(self, since: np.ndarray, until: np.ndarray) -> np.ndarray:
        """Return the mean over time of the number in flight between each pair of times; NaN for no time."""
        lasted = np.where(until > since, until - since, np.nan)
        found: np.ndarray = self.integral(self.count.astype(float), since, until) / lasted
        return found


def in_flight(started: np.ndarray, ended: np.ndarray) -> InFlight:
    """Return how many were in flight.

    Args:
        started: Seconds since 1970.
        ended: The same; NaN is not over yet. What ends as it starts was never in flight.
    """
    over = ended[~np.isnan(ended)]
    times = np.concatenate([started, over])
    change = np.concatenate([np.ones(len(started), dtype=int), -np.ones(len(over), dtype=int)])
    at, place = np.unique(times, return_inverse=True)
    return InFlight(at, np.cumsum(np.bincount(place, weights=change, minlength=len(at))).astype(int))


def epoch_seconds(times: "pd.Series") -> np.ndarray:
    """Return times as seconds since 1970, with NaN for those that are not known."""
    import pandas as pd

    found: np.ndarray = (
        (pd.to_datetime(times, utc=True) - pd.Timestamp(0, tz="UTC")).dt.total_seconds().to_numpy(dtype=float)
    )
    return found


def mean_in_flight(sessions: "pd.DataFrame") -> "pd.Series":
    """Return how many were in flight on average while each session was, itself too; NaN where it is not over.

    Args:
        sessions: `started_at` and `ended_at` of all that share what limits them.
    """
    import pandas as pd

    start, end = epoch_seconds(sessions["started_at"]), epoch_seconds(sessions["ended_at"])
    known = ~np.isnan(start)
    if not known.any():
        return pd.Series(np.nan, index=sessions.index)
    return pd.Series(in_flight(start[known], end[known]).mean(start, end), index=sessions.index)
