"""The bytes of one file: decompressed, with limits watched and a reason kept when they end too early."""

import contextlib
import gzip
import mmap
import os
import stat
import tempfile
import zlib
from collections.abc import Callable, Iterator
from io import BufferedReader
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import zstandard

from gitopslab.errors import UsageError
from gitopslab.extract.pages import Limits

Progress = Callable[[int], None]

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_RATIO_COUNTS_FROM_BYTES = 64 << 20
# a block of 4 bytes may stand for 128 KiB, and the decompressor holds what it makes of one step
_ZSTD_STEP_BYTES = 4 << 10


class Text:
    """Text that can be looked at from any position without holding it all in memory.

    Args:
        data: The text.
        passed: Called with a position before which nothing is needed any more.
    """

    def __init__(self, data: bytes | mmap.mmap, passed: Callable[[int], None] = lambda _: None) -> None:
        self.data = data
        self.end = len(data)
        self.passed = passed


class ByteStream:
    """The decompressed bytes of one file; use it as a context manager.

    Reading never fails: what goes wrong ends the stream early, and `failure` says why.

    Args:
        path: The file; whether it is compressed is told by its content.
        limits: How much it may decompress to.
        progress: Called with the number of bytes of the file on disk consumed since the last call.

    Attributes:
        failure: Reason and message, when the bytes ended before the file did.

    Raises:
        UsageError: There is no such file.
    """

    def __init__(self, path: Path, limits: Limits, progress: Progress | None = None) -> None:
        self.failure: tuple[str, str] | None = None
        self._limits = limits
        self._progress = progress
        self._reported = self._disk_bytes = self._byte_count = self._released = 0
        self._unread = b""
        self._is_mappable = False
        self._file: BufferedReader | None = None
        self._source: _Source | None = None
        try:
            self._file = path.open("rb")
            self._begin(self._file)
        except (FileNotFoundError, IsADirectoryError) as error:
            raise UsageError(f"{path}: there is no such file, or it is a folder") from error
        except OSError as error:
            self._fail("broken_archive", f"the file cannot be read: {os.strerror(error.errno or 0)}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file:
            self._file.close()

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes or what was unread, as soon as there are any; none at the end."""
        if self._unread:
            data, self._unread = self._unread, b""
            return data
        if self._source is None:
            return b""
        data = self._read(self._source, size)
        self._byte_count += len(data)
        if self._is_mappable:
            self._report(self._byte_count)
        return self._within_limits(data)

    def unread(self, data: bytes) -> None:
        """Put `data` back, to be read again first."""
        self._unread = data + self._unread

    def read_lines(self, size: int, max_bytes: int) -> bytes:
        """Return about `size` bytes of whole lines; one longer than `max_bytes` is cut, without a break."""
        parts: list[bytes | memoryview] = []
        while sum(map(len, parts)) <= max_bytes and (data := self.read(size)):
            cut = data.rfind(b"\n") + 1
            parts.append(memoryview(data)[: cut or None])
            if cut:
                self.unread(data[cut:])
                break
        return b"".join(parts)

    def skip_line(self) -> None:
        """Pass over the rest of a line."""
        while data := self.read(self._limits.page_bytes):
            if cut := data.find(b"\n") + 1:
                self.unread(data[cut:])
                return

    @contextlib.contextmanager
    def text(self) -> Iterator[tuple[Text, int]]:
        """Map what is still to be read; yield it with the position where that begins.

        A plain file is mapped as it is; what is compressed or piped goes through a temporary file.
        """
        if self._file and self._is_mappable and not self.failure:
            with mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
                start = self._byte_count - len(self._unread)
                yield Text(mapped, lambda position: self._passed(mapped, position)), start
                self._report(len(mapped))
            return
        with tempfile.TemporaryFile() as spilled:
            while data := self.read(self._limits.page_bytes):
                spilled.write(data)
            spilled.flush()
            if not spilled.tell():
                yield Text(b""), 0
                return
            with mmap.mmap(spilled.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
                yield Text(mapped, lambda position: self._release(mapped, position)), 0

    def _begin(self, file: BufferedReader) -> None:
        magic = file.peek(4)[:4]
        counted = _Counted(file, self._count)
        if magic.startswith(_GZIP):
            self._source = gzip.GzipFile(fileobj=counted)  # type: ignore[call-overload]  # read() is enough
        elif magic == _ZSTD:
            self._source = _ZstdFile(counted)
        else:
            status = os.fstat(file.fileno())
            self._source = file
            self._is_mappable = stat.S_ISREG(status.st_mode)
            if self._is_mappable and status.st_size > self._limits.max_file_bytes:
                self._fail(
                    "too_large", f"{status.st_size} bytes, at most {self._limits.max_file_bytes} are read"
                )
                return
        head = self.read(self._limits.page_bytes)
        if head.startswith(_UTF16_MARKS):
            self._fail("invalid_encoding", "the file is UTF-16; save it as UTF-8")
            return
        self.unread(head.removeprefix(_UTF8_MARK))

    def _read(self, source: "_Source", size: int) -> bytes:
        steps, wanted = [], size
        try:
            while wanted > 0 and (data := source.read1(wanted)):
                steps.append(data)
                wanted -= len(data)
        except (OSError, EOFError, zlib.error, zstandard.ZstdError):
            self._fail("broken_archive", "the file is damaged or cut short; what came before was read")
        return b"".join(steps)

    def _within_limits(self, data: bytes) -> bytes:
        if self._byte_count > self._limits.max_file_bytes:
            return self._fail("too_large", f"it holds more than {self._limits.max_file_bytes} bytes")
        allowed = max(_RATIO_COUNTS_FROM_BYTES, self._disk_bytes * self._limits.max_expansion_ratio)
        if self._disk_bytes and self._byte_count > allowed:
            return self._fail("too_large", f"it expands more than {self._limits.max_expansion_ratio} times")
        return data

    def _fail(self, reason: str, message: str) -> bytes:
        self.failure = reason, message
        self._source = None
        return b""

    def _count(self, size: int) -> None:
        self._disk_bytes += size
        self._report(self._disk_bytes)

    def _report(self, position: int) -> None:
        if self._progress and position > self._reported:
            self._progress(position - self._reported)
            self._reported = position

    def _passed(self, data: mmap.mmap, position: int) -> None:
        self._report(position)
        self._release(data, position)

    def _release(self, data: mmap.mmap, position: int) -> None:
        page_start = position // mmap.PAGESIZE * mmap.PAGESIZE
        if hasattr(mmap, "MADV_DONTNEED") and page_start - self._released >= self._limits.page_bytes:
            data.madvise(mmap.MADV_DONTNEED, self._released, page_start - self._released)
            self._released = page_start


class _Source(Protocol):
    """What bytes are read from, as many at once as there are."""

    def read1(self, size: int, /) -> bytes: ...


class _Counted:
    """A file that says how much was taken of it."""

    def __init__(self, file: BufferedReader, count: Callable[[int], None]) -> None:
        self._file, self._count = file, count

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._count(len(data))
        return data


class _ZstdFile:
    """Zstandard frames behind each other; the library's own reader does not notice one that is cut short."""

    def __init__(self, file: _Counted) -> None:
        self._file = file
        self._decompressor = zstandard.ZstdDecompressor()
        self._frame = self._decompressor.decompressobj()
        self._compressed, self._is_in_frame = b"", False

    def read1(self, _size: int) -> bytes:
        data = b""
        while not data:
            compressed = self._compressed or self._file.read(_ZSTD_STEP_BYTES)
            if not compressed:
                if self._is_in_frame:
                    raise EOFError
                break
            if self._frame.eof:
                self._frame = self._decompressor.decompressobj()
            data = self._frame.decompress(compressed)
            self._compressed, self._is_in_frame = self._frame.unused_data, not self._frame.eof
        return data
