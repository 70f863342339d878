"""Metrics as Prometheus would have scraped them: OpenMetrics text with a timestamp at every sample.

`Metrics` is what a controller counts, and starts again from nothing when it restarts; `MetricsLog` takes
the samples of its scrapes and writes one file a day, `<folder>/<date>.openmetrics.zst`, in which a
family's samples stand together and those of a series in order of time, as the format asks. `promtool tsdb
create-blocks-from openmetrics` reads such a file. prometheus_client's parser reads gauges and counters of
it, but buckets of the first scrape only: it takes those of later ones for repetitions. Where buckets matter,
give it the lines of one scrape at a time.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping
from math import inf
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import zstandard

from gitopslab.world.clock import DAY, stamp
from gitopslab.world.emit.families import Family


class Sample(NamedTuple):
    """One value.

    Attributes:
        family: What it is of.
        suffix: What the sample's name has behind that of the family: empty, _total, _bucket, _sum, _count.
        labels: Name to value.
        value: The value.
        at: When it was scraped, seconds since the epoch.
    """

    family: Family
    suffix: str
    labels: Mapping[str, str]
    value: float
    at: float


_Series = tuple[str, ...]


class Metrics:
    """What one process counts and measures since it started.

    Labels are given in the order of the family's.
    """

    def __init__(self) -> None:
        self._values: dict[Family, dict[_Series, float]] = defaultdict(dict)
        self._histograms: dict[Family, dict[_Series, _Histogram]] = defaultdict(dict)

    def set(self, gauge: Family, value: float, *labels: str) -> None:
        """Set a gauge."""
        self._values[gauge][labels] = value

    def drop(self, gauge: Family, *labels: str) -> None:
        """End a series, as happens to argocd_app_info when one of its labels changes."""
        self._values[gauge].pop(labels, None)

    def count(self, counter: Family, *labels: str, by: float = 1) -> None:
        """Count an event."""
        series = self._values[counter]
        series[labels] = series.get(labels, 0) + by

    def observe(self, histogram: Family, value: float, *labels: str) -> None:
        """Put a value into a histogram."""
        series = self._histograms[histogram]
        if labels not in series:
            series[labels] = _Histogram(histogram.buckets)
        series[labels].observe(value)

    def restart(self) -> None:
        """Forget everything, as a process does."""
        self._values.clear()
        self._histograms.clear()

    def scrape(self, at: float) -> Iterator[Sample]:
        """Return a sample of every series."""
        for family, values in self._values.items():
            suffix = "_total" if family.kind == "counter" else ""
            for labels, value in values.items():
                yield Sample(family, suffix, _named(family, labels), value, at)
        for family, histograms in self._histograms.items():
            for labels, histogram in histograms.items():
                named = _named(family, labels)
                yield from (
                    Sample(family, "_bucket", named | {"le": _bound(bound)}, count, at)
                    for bound, count in histogram.buckets()
                )
                yield Sample(family, "_sum", named, histogram.sum, at)
                yield Sample(family, "_count", named, histogram.count, at)


class _Histogram:
    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self.sum = 0.0
        self.count = 0

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self.sum += value
        self.count += 1

    def buckets(self) -> Iterator[tuple[float, int]]:
        below = 0
        for bound, count in zip((*self._bounds, inf), self._counts, strict=True):
            below += count
            yield bound, below


class MetricsLog:
    """Writes samples that come in order of time, a file a day; memory holds the samples of one day.

    Args:
        folder: Where the files go; made if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._date = ""
        self._day: dict[Family, dict[str, list[str]]] = {}
        self._series: dict[tuple[str, str, tuple[str, ...]], tuple[str, list[str]]] = {}
        self._until = -inf

    def add(self, sample: Sample) -> None:
        """Write a sample."""
        if sample.at >= self._until:
            self._flush()
            self._date, self._until = stamp(sample.at)[:10], (sample.at // DAY + 1) * DAY
        key = (sample.family.name, sample.suffix, tuple(sample.labels.values()))
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = self._begin(sample)
        name, lines = series
        lines.append(f"{name} {_number(sample.value)} {_number(sample.at)}\n")

    def close(self) -> None:
        """Write the last day."""
        self._flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _begin(self, sample: Sample) -> tuple[str, list[str]]:
        """Return the name of a sample's series and its lines, which a histogram's whole point shares."""
        family, labels = sample.family, sample.labels
        point = _text({name: value for name, value in labels.items() if name != "le"})
        lines = self._day.setdefault(family, {}).setdefault(point, [])
        return f"{family.name}{sample.suffix}{_text(labels)}", lines

    def _flush(self) -> None:
        if not self._day:
            return
        file = self._folder / f"{self._date}.openmetrics.zst"
        with file.open("wb") as target, zstandard.ZstdCompressor(level=3).stream_writer(target) as stream:
            for family, series in self._day.items():
                head = f"# TYPE {family.name} {family.kind}\n# HELP {family.name} {_escape(family.help)}\n"
                stream.write(head.encode())
                for lines in series.values():
                    stream.write("".join(lines).encode())
            stream.write(b"# EOF\n")
        self._day.clear()
        self._series.clear()


def _named(family: Family, labels: _Series) -> dict[str, str]:
    return dict(zip(family.labels, labels, strict=True))


def _text(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escape(value)}"' for name, value in labels.items()) + "}"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _bound(value: float) -> str:
    # OpenMetrics wants a bound with its fraction, or 1 and 1.0 would be two series
    return "+Inf" if value == inf else repr(float(value))


def _number(value: float) -> str:
    if value == inf:
        return "+Inf"
    return str(int(value)) if value == int(value) else repr(value)
