"""OpenMetrics text: what `promtool tsdb dump-openmetrics` prints, and what scrapes were kept as.

Source: files of samples with a timestamp each, plain, gzip or zstd; `# EOF` is their last line.
Needs:  nothing but the files.
Limits: a sample without a timestamp says nothing of when it was, and is rejected. Exemplars and the
        families' types and help are not landed.

Text is taken apart by two expressions over all lines of a piece, and labels once a series: the parser of
prometheus_client reads a line at a time, and drops or refuses histograms that have samples at several times.
"""

import hashlib
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gitopslab import redaction
from gitopslab.datasets.prometheus import METRIC_SAMPLES
from gitopslab.extract import samples
from gitopslab.extract.byte_stream import ByteStream
from gitopslab.extract.files import Known
from gitopslab.extract.pages import EXCERPT_BYTES, Limits
from gitopslab.extract.rows import RowLanding
from gitopslab.extract.run import Refusal
from gitopslab.extract.samples import Series, Target

Progress = Callable[[int], None]

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_STRING = r'"(?:[^"\\]|\\.)*"'
_LINE = rf'^(?P<series>{_NAME}(?:\{{(?:[^"}}]|{_STRING})*\}})?)[ \t]+(?P<rest>[^ \t].*)$'
_NUMBER = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_SAMPLE = rf"^(?P<value>{_NUMBER}|[+-]?[Ii]nf|[Nn]a[Nn])[ \t]+(?P<at>{_NUMBER})[ \t\r]*(?:#.*)?$"
_NOTHING = r"^(?:[ \t\r]*$|#)"
_LABEL = re.compile(rf"[ \t]*({_NAME})[ \t]*=[ \t]*({_STRING})[ \t]*(?:,|\Z)")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"n": "\n", "\\": "\\", '"': '"'}
_END = re.compile(rb"(?:\A|\n)# EOF[ \t\r\n]*\Z")
_NO_END = ("no_end", "its last line is not # EOF: it may be cut short; what is there was read")
_NO_SERIES = Series("", "", "")

_PIECE_BYTES = 4 << 20
_MAX_LINE_BYTES = 1 << 20
_END_BYTES = 64
_AHEAD = 2
# Prometheus' own text has milliseconds where OpenMetrics has seconds.
_LAST_SECOND = datetime(2200, 1, 1, tzinfo=UTC).timestamp()


class FileOutcome(NamedTuple):
    """What came of one file: samples and rejects in it, and whether it was read before."""

    path: Path
    sample_count: int
    reject_count: int
    is_known: bool


class _Piece(NamedTuple):
    """Some lines of a file, taken apart; one entry of the arrays a sample.

    Attributes:
        line_count: How many lines there were.
        series: Text of each series in them.
        which: Place in `series`.
        lines: Number of its line in the piece, from 0.
        seconds: Its time, since the epoch.
        values: Its value.
        refused: Number and text of what is no sample.
    """

    line_count: int
    series: list[str]
    which: npt.NDArray[np.int64]
    lines: npt.NDArray[np.int64]
    seconds: npt.NDArray[np.float64]
    values: npt.NDArray[np.float64]
    refused: list[tuple[int, str]]


def land(
    paths: Iterable[Path], landing: RowLanding, target: Target, *, progress: Progress | None = None
) -> list[FileOutcome]:
    """Land every sample in `paths`, and return what came of each file.

    A file that this lake has read to its end before, for the same Prometheus, is not read again.

    Args:
        paths: Files, in any order.
        landing: The run they belong to; its source is `target.prometheus`.
        target: Whose samples they are.
        progress: Called with the number of bytes read since the last call.

    Raises:
        UsageError: A file is not there.
    """
    known = Known.of(landing.lake, target.prometheus)
    with ThreadPoolExecutor(_AHEAD, "openmetrics") as threads:
        return [_File(path, landing, target).land(known, threads, progress) for path in paths]


class _File:
    def __init__(self, path: Path, landing: RowLanding, target: Target) -> None:
        self.path, self.landing, self.target = path, landing, target
        self.source = redaction.redact_text(path.as_posix())
        self.sample_count = self.reject_count = self.line_count = 0
        self.series: dict[str, Series | None] = {}
        self.first, self.last = inf, -inf

    def land(self, known: Known, threads: ThreadPoolExecutor, progress: Progress | None) -> FileOutcome:
        with ByteStream(self.path, Limits(), progress) as stream:
            size_bytes, digest = self.path.stat().st_size, _digest(self.path)
            if digest in known.by_size.get(size_bytes, {}):
                return FileOutcome(self.path, 0, 0, is_known=True)
            end = b""
            for text, piece in _ahead(threads, stream):
                self._add(piece)
                end = (end + text)[-_END_BYTES:]
            failure = stream.failure or (None if _END.search(end) else _NO_END)
            if failure:
                self._reject([Refusal(self.source, None, *failure, "")])
        if self.sample_count:
            since, until = (datetime.fromtimestamp(at, UTC) for at in (self.first, self.last))
            self.landing.saw(
                METRIC_SAMPLES.name,
                since,
                until,
                row_count=self.sample_count,
                state="file",
                source=self.source,
            )
        self.landing.note_file(self.source, size_bytes, digest, self.sample_count, self.reject_count)
        known.by_size.setdefault(size_bytes, {})[digest] = self.reject_count
        return FileOutcome(self.path, self.sample_count, self.reject_count, is_known=False)

    def _add(self, piece: _Piece) -> None:
        series = [self._series(text) for text in piece.series]
        is_named = np.array([each is not None for each in series], bool)[piece.which]
        is_timed = (piece.seconds >= 0) & (piece.seconds < _LAST_SECOND)
        self._refuse(piece.refused, "invalid_openmetrics", "no sample with a value and a timestamp")
        self._refuse(_shown(piece, ~is_named), "invalid_openmetrics", "its labels cannot be read")
        self._refuse(
            _shown(piece, is_named & ~is_timed), "invalid_time", "its timestamp is none in seconds since 1970"
        )
        self.line_count += piece.line_count
        kept = np.flatnonzero(is_named & is_timed)
        if not len(kept):
            return
        seconds = piece.seconds[kept]
        self.first, self.last = min(self.first, seconds.min()), max(self.last, seconds.max())
        self.sample_count += len(kept)
        known = [each or _NO_SERIES for each in series]
        rows = samples.table(self.target, known, piece.which[kept], seconds, piece.values[kept])
        self.landing.add(METRIC_SAMPLES, rows)

    def _series(self, text: str) -> Series | None:
        if text not in self.series:
            labels = _labels(text)
            self.series[text] = samples.series_of(labels) if labels else None
        return self.series[text]

    def _refuse(self, shown: Sequence[tuple[int, str]], reason: str, message: str) -> None:
        self._reject(
            [
                Refusal(self.source, self.line_count + number + 1, reason, message, text[:EXCERPT_BYTES])
                for number, text in shown
            ]
        )

    def _reject(self, refusals: Sequence[Refusal]) -> None:
        self.reject_count += len(refusals)
        self.landing.reject(refusals)


def _ahead(threads: ThreadPoolExecutor, stream: ByteStream) -> Iterator[tuple[bytes, _Piece]]:
    """Yield the pieces of a file in order, while others are taken apart."""
    waiting: deque[tuple[bytes, Future[_Piece]]] = deque()
    while text := stream.read_lines(_PIECE_BYTES, _MAX_LINE_BYTES):
        waiting.append((text, threads.submit(_taken_apart, text)))
        if len(waiting) > _AHEAD:
            done, future = waiting.popleft()
            yield done, future.result()
    for done, future in waiting:
        yield done, future.result()


def _taken_apart(text: bytes) -> _Piece:
    lines = _lines(text)
    found = pc.extract_regex(lines, _LINE)
    numbers = pc.extract_regex(found.field("rest"), _SAMPLE)
    is_sample = numbers.is_valid()
    is_nothing = pc.fill_null(pc.match_substring_regex(lines, _NOTHING), fill_value=False)
    is_refused = pc.and_not(pc.invert(is_sample), is_nothing)
    series = found.field("series").filter(is_sample).dictionary_encode()
    numbers = numbers.filter(is_sample)
    refused = zip(
        pc.indices_nonzero(is_refused).to_pylist(), lines.filter(is_refused).to_pylist(), strict=True
    )
    return _Piece(
        line_count=text.count(b"\n"),
        series=series.dictionary.to_pylist(),
        which=series.indices.to_numpy().astype(np.int64),
        lines=pc.indices_nonzero(is_sample).to_numpy().astype(np.int64),
        seconds=numbers.field("at").cast(pa.float64()).to_numpy(),
        values=numbers.field("value").cast(pa.float64()).to_numpy(),
        refused=[(number, line or "it is not UTF-8") for number, line in refused],
    )


def _lines(text: bytes) -> pa.Array:
    """Return the lines of `text`; NULL where one is not UTF-8."""
    try:
        whole = pa.array([text.decode()], pa.large_string())
    except UnicodeDecodeError:
        return pa.array([_decoded(line) for line in text.split(b"\n")], pa.large_string())
    return pc.split_pattern(whole, "\n")[0].values


def _decoded(line: bytes) -> str | None:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return None


def _shown(piece: _Piece, is_shown: npt.NDArray[np.bool_]) -> list[tuple[int, str]]:
    """Return the lines of some samples, as far as they name their series."""
    return [(int(piece.lines[place]), piece.series[piece.which[place]]) for place in np.flatnonzero(is_shown)]


def _labels(text: str) -> dict[str, str] | None:
    """Return the labels of a series, its metric as `__name__` among them; None where one is given twice."""
    metric, _, inside = text.removesuffix("}").partition("{")
    labels = {"__name__": metric}
    position = 0
    while position < len(inside):
        label = _LABEL.match(inside, position)
        if not label or label[1] in labels:
            return None
        labels[label[1]] = _ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[0]), label[2][1:-1])
        position = label.end()
    return labels


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
