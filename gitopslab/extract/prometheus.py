"""Prometheus: what controllers and nodes measured of themselves, as range queries show it.

Source: `/api/v1/query_range`, of Prometheus or of what speaks its API (Thanos, Mimir, VictoriaMetrics).
Needs:  a token that may read it, where it wants one.
Limits: values are those at whole multiples of the step, each the last sample within Prometheus' lookback of
        5 minutes: what came and went between two of them is not here. Native histograms are counted and not
        landed. Retention is often 15 days; what is older is gone.

Times are multiples of the step since 1970, so every run asks for the same ones, and samples that were landed
before are known again. Rates are never asked for: counters land raw, and facts say what they grew by.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np

from gitopslab.datasets.prometheus import METRIC_SAMPLES
from gitopslab.errors import BadRequestError, SourceError, UnreachableError
from gitopslab.extract import cursors, samples
from gitopslab.extract.rows import RowLanding
from gitopslab.extract.run import Refusal
from gitopslab.extract.samples import Target
from gitopslab.http import HttpSource
from gitopslab.redaction import redact_text

SYSTEM = "prometheus"
SELECTORS = (
    '{__name__=~"kueue_.+"}',
    '{__name__=~"argocd_(app|appset|cluster)_.+"}',
    '{__name__=~"tekton_pipelines_controller_.+"}',
    '{__name__=~"watcher_.+",job=~".*results.*"}',
    '{__name__=~"promoter_.+"}',
    '{__name__=~"(git_operations|scm_calls|webhook_calls|webhook_processing)_.+",job=~".*promoter.*"}',
    '{__name__=~"node_pressure_.+"}',
    '{__name__="kube_node_status_condition"}',
)
"""Series that are landed by default: those that reports ask for. Promoter's names are common, its job not."""

BEFORE_FIRST = timedelta(days=14)
"""How far the first run reads back, unless it is told: Prometheus keeps 15 days by default."""

OVERLAP = timedelta(minutes=10)
"""How far a run reads back behind what the one before has landed: samples may be written late."""

_UNSETTLED = timedelta(minutes=2)
# With 10,000 series some 30 MB of answer; Prometheus gives 11,000 points of a series at most.
_CHUNK_POINTS = 120
_MAX_MESSAGE_LENGTH = 500

Progress = Callable[[float], None]


class _Series(msgspec.Struct):
    metric: dict[str, str] = {}
    values: list[tuple[float, str]] = []
    histograms: list[msgspec.Raw] = []


class _Data(msgspec.Struct):
    result_type: str = msgspec.field(default="", name="resultType")
    result: list[_Series] = []


class _Answer(msgspec.Struct):
    status: str = ""
    data: _Data = msgspec.field(default_factory=_Data)
    warnings: list[str] = []


@dataclass(frozen=True)
class Range:
    """Times that are asked for: every `step` seconds from `first` to `last`, both in it, since 1970."""

    first: int
    last: int
    step: int

    @classmethod
    def between(cls, since: datetime, until: datetime, step: int) -> "Range":
        """Return the multiples of `step` in [since, until]."""
        return cls(-(-int(since.timestamp()) // step) * step, int(until.timestamp()) // step * step, step)

    @property
    def points(self) -> int:
        """How many times there are."""
        return max(0, (self.last - self.first) // self.step + 1)

    def chunks(self, points: int) -> "Iterator[Range]":
        """Yield the times in order, at most `points` at once."""
        for first in range(self.first, self.last + 1, points * self.step):
            yield Range(first, min(self.last, first + (points - 1) * self.step), self.step)


@dataclass(frozen=True)
class Extraction:
    """Reads a Prometheus into the lake.

    Attributes:
        source: The Prometheus.
        landing: The run that samples belong to; its source is `target.prometheus`.
        target: Whose samples they are, and the step.
    """

    source: HttpSource
    landing: RowLanding
    target: Target

    def land(
        self,
        selectors: Sequence[str] = SELECTORS,
        *,
        until: datetime,
        since: datetime | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Land the samples of every series that a selector matches.

        Args:
            selectors: PromQL selectors.
            until: Now; the last two minutes are left to settle.
            since: Read from then on, whatever was landed before.
            progress: Called with the share of a selector that was read since the last call.

        Raises:
            BadRequestError: A selector is no PromQL.
            SourceError: It could not be read to the end; what was read until then is landed.
        """
        try:
            for selector in selectors:
                self._land(selector, since, until, progress or (lambda _: None))
        except SourceError:
            self.landing.flush()
            raise

    def _land(self, selector: str, since: datetime | None, until: datetime, progress: Progress) -> None:
        reached = cursors.reached(self.landing.lake, self.target.prometheus, SYSTEM, selector)
        begin = since or (reached - OVERLAP if reached else until - BEFORE_FIRST)
        times = Range.between(begin, until - _UNSETTLED, self.target.step_seconds or 1)
        if not times.points:
            return
        row_count = 0
        warnings: set[str] = set()
        for asked, answer in self._answers(selector, times):
            row_count += self._add(selector, answer.data.result)
            warnings |= set(answer.warnings)
            progress(asked.points / times.points)
        first, last = (datetime.fromtimestamp(at, UTC) for at in (times.first, times.last))
        message = redact_text("; ".join(sorted(warnings)))[:_MAX_MESSAGE_LENGTH]
        self.landing.saw(selector, first, last, row_count=row_count, source=self.source.name, message=message)
        # What was answered with a warning may be a part of it: the next run asks for it again.
        if not warnings and (reached is None or last > reached):
            cursors.note(self.landing, selector, last)

    def _answers(self, selector: str, times: Range) -> Iterator[tuple[Range, _Answer]]:
        """Yield what is found, in order of time; less at once where the source finds it too much."""
        waiting = list(times.chunks(_CHUNK_POINTS))[::-1]
        while waiting:
            asked = waiting.pop()
            try:
                yield asked, self._ask(selector, asked)
            except BadRequestError:
                if asked.points == 1:
                    raise
                waiting += list(asked.chunks((asked.points + 1) // 2))[::-1]

    def _ask(self, selector: str, asked: Range) -> _Answer:
        path = "/api/v1/query_range"
        query: dict[str, str | int] = {
            "query": selector,
            "start": asked.first,
            "end": asked.last,
            "step": asked.step,
        }
        answer = self.source.read_as(_Answer, path, query)
        if answer.status != "success" or answer.data.result_type != "matrix":
            raise UnreachableError(f"{self.source.name}: {path}: the answer holds no range of samples")
        return answer

    def _add(self, selector: str, found: Sequence[_Series]) -> int:
        """Land the samples of an answer, and return how many there are."""
        if native := sum(bool(series.histograms) for series in found):
            message = f"{native} series are native histograms, which are not landed; those with buckets are"
            source = f"{self.source.name} {selector}"
            self.landing.reject([Refusal(source, None, "native_histogram", message, "")])
        found = [series for series in found if series.values]
        if not found:
            return 0
        which = np.repeat(np.arange(len(found)), [len(series.values) for series in found])
        seconds = np.array([at for series in found for at, _ in series.values])
        try:
            values = np.array([value for series in found for _, value in series.values]).astype(np.float64)
        except ValueError as error:
            raise UnreachableError(
                f"{self.source.name}: the answer holds a value that is no number"
            ) from error
        known = [samples.series_of(series.metric) for series in found]
        self.landing.add(METRIC_SAMPLES, samples.table(self.target, known, which, seconds, values))
        return len(values)
