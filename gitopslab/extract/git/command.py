"""git, the program: the one module that starts it, so that no repository can make it do more than read.

A repository may be hostile, its configuration too. So no configuration of user or machine is read, no hook,
pager, external diff, textconv, signature check or lazy fetch runs, what a repository's configuration says of
them is overruled, and no transport is allowed but the one of the URL that is fetched.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, NamedTuple, Self

from gitopslab import redaction
from gitopslab.errors import AccessDeniedError, SourceError, UnreachableError, UsageError

_CONFIGURATION = {
    "core.alternateRefsCommand": "",
    "core.attributesFile": os.devnull,
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.logAllRefUpdates": "false",
    "diff.external": "",
    "diff.orderFile": os.devnull,
    "diff.renameLimit": "1000",
    "gc.auto": "0",
    "i18n.logOutputEncoding": "UTF-8",
    "log.showSignature": "false",
    "maintenance.auto": "false",
    "protocol.ext.allow": "never",
    "trailer.separators": ":",
    "uploadpack.packObjectsHook": "",
}
_ENVIRONMENT = {
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_PAGER": "cat",
    "GIT_SSH_COMMAND": "ssh -oBatchMode=yes",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
_KEPT_VARIABLES = frozenset({"GIT_SSL_CAINFO", "GIT_SSL_CAPATH"})
_READ_BYTES = 4 << 20
_LONGEST_MESSAGE = 500
# They fit into a pipe: git can take them all before anybody reads an answer.
_QUESTIONS = 500
_BROKEN = "git cat-file ended early; `git fsck` says what is wrong with the repository"
_DENIED = re.compile(
    r"Authentication failed|could not read (?:Username|Password)|Permission denied|error: 40[13]|not found",
    re.IGNORECASE,
)
_UNREACHABLE = re.compile(
    r"unable to access|could not (?:resolve|read from)|Connection|timed out", re.IGNORECASE
)


class Git:
    """git on one repository.

    Args:
        folder: Its git directory, or the folder that holds one as `.git`.
        name: What messages call it.

    Raises:
        UsageError: git is not installed.
    """

    def __init__(self, folder: Path, name: str) -> None:
        program = shutil.which("git")
        if program is None:
            raise UsageError(f"repository {name}: git is not installed; install git 2.31 or newer")
        inner = folder / ".git"
        self.folder = inner if inner.exists() else folder
        self.name = name
        self._program = program

    def run(
        self,
        *arguments: str,
        lines: Iterable[str] | None = None,
        protocols: Sequence[str] = (),
        configuration: Mapping[str, str] | None = None,
    ) -> bytes:
        """Return what `git ARGUMENTS` prints, given `lines` to read.

        Args:
            arguments: Of git; what a person or a repository named stands behind `--end-of-options`.
            lines: What it reads on standard input, a line each.
            protocols: Transports that it may use.
            configuration: Given to it in its environment, so that no list of processes shows it.

        Raises:
            SourceError: It failed; AccessDeniedError or UnreachableError where that was a server's doing.
        """
        with _spooled(lines) as given:
            done = subprocess.run(  # noqa: S603 - git, with arguments made here
                self._command(arguments),
                stdin=given,
                capture_output=True,
                env=self._environment(protocols, configuration or {}),
                check=False,
            )
        if done.returncode:
            raise self._error(arguments[0], done.returncode, done.stderr)
        return done.stdout

    def text(self, *arguments: str, lines: Iterable[str] | None = None) -> str:
        """Return what `git ARGUMENTS` prints as text; bytes that are not UTF-8 are written as escapes."""
        return self.run(*arguments, lines=lines).decode("utf-8", "backslashreplace")

    def fields(self, *arguments: str, lines: Iterable[str], width: int = 1) -> Iterator[list[str]]:
        """Yield what `git ARGUMENTS` prints between NULs, in lists of many fields.

        Args:
            arguments: Of git.
            lines: What it reads on standard input.
            width: Each list holds a multiple of so many fields.

        Raises:
            SourceError: It failed.
        """
        with (
            _spooled(lines) as given,
            tempfile.TemporaryFile() as complaints,
            subprocess.Popen(  # noqa: S603 - git, with arguments made here
                self._command(arguments),
                stdin=given,
                stdout=subprocess.PIPE,
                stderr=complaints,
                env=self._environment((), {}),
            ) as process,
        ):
            yield from _split(_opened(process.stdout), width)
            if code := process.wait():
                complaints.seek(0)
                raise self._error(arguments[0], code, complaints.read())

    def piped(self, first: Sequence[str], second: Sequence[str], *, lines: Iterable[str]) -> bytes:
        """Return what one git prints of what another one does, which reads `lines`.

        Raises:
            SourceError: One of them failed.
        """
        with (
            _spooled(lines) as given,
            tempfile.TemporaryFile() as complaints,
            subprocess.Popen(  # noqa: S603 - git, with arguments made here
                self._command(first),
                stdin=given,
                stdout=subprocess.PIPE,
                stderr=complaints,
                env=self._environment((), {}),
            ) as feeding,
        ):
            done = subprocess.run(  # noqa: S603 - git, with arguments made here
                self._command(second),
                stdin=_opened(feeding.stdout),
                capture_output=True,
                env=self._environment((), {}),
                check=False,
            )
            _opened(feeding.stdout).close()
            if code := feeding.wait():
                complaints.seek(0)
                raise self._error(first[0], code, complaints.read())
        if done.returncode:
            raise self._error(second[0], done.returncode, done.stderr)
        return done.stdout

    def blobs(self) -> "Blobs":
        """Return a reader of the repository's blobs; close it."""
        return Blobs(
            subprocess.Popen(  # noqa: S603 - git, with arguments made here
                self._command(("cat-file", "--batch")),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=self._environment((), {}),
            )
        )

    def _command(self, arguments: Sequence[str]) -> list[str]:
        # Said on the command line, as this overrules the repository's own configuration.
        settings = [part for pair in _CONFIGURATION.items() for part in ("-c", "=".join(pair))]
        return [self._program, "--no-pager", "--literal-pathspecs", *settings, *arguments]

    def _environment(self, protocols: Sequence[str], configuration: Mapping[str, str]) -> dict[str, str]:
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("GIT_") or name in _KEPT_VARIABLES
        }
        own = {"GIT_DIR": str(self.folder.absolute()), "GIT_CONFIG_COUNT": str(len(configuration))}
        for number, (key, value) in enumerate(configuration.items()):
            own |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        allowed = {"GIT_ALLOW_PROTOCOL": ":".join(protocols)} if protocols else {}
        return inherited | _ENVIRONMENT | own | allowed

    def _error(self, command: str, code: int, complaint: bytes) -> SourceError:
        said = " ".join(complaint.decode("utf-8", "backslashreplace").split())
        shown = redaction.redact_text(said)[:_LONGEST_MESSAGE]
        message = f"repository {self.name}: git {command} ended with {code}: {shown}"
        if _DENIED.search(said):
            return AccessDeniedError(
                f"{message}; check its url, and the credential that token_variable names"
            )
        return UnreachableError(message) if _UNREACHABLE.search(said) else SourceError(message)


class Blob(NamedTuple):
    """A file's content; None where the repository lacks it, or it is larger than was asked for."""

    content: bytes | None
    size_bytes: int


class Blobs:
    """Reads blobs through one process, one after another; use it as a context manager."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._questions, self._answers = _opened(process.stdin), _opened(process.stdout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._questions.close()
        self._answers.close()
        self._process.wait()

    def read(self, sha: str, max_bytes: int) -> Blob:
        """Return the blob called `sha`; a larger one without its content.

        Raises:
            SourceError: git gave no answer.
        """
        [blob] = self.read_all([sha], max_bytes)
        return blob

    def read_all(self, shas: Sequence[str], max_bytes: int) -> Iterator[Blob]:
        """Yield the blobs called `shas`, in their order; larger ones without their content.

        Raises:
            SourceError: git gave no answer.
        """
        for at in range(0, len(shas), _QUESTIONS):
            asked = shas[at : at + _QUESTIONS]
            try:
                self._questions.write("".join(f"{sha}\n" for sha in asked).encode())
                self._questions.flush()
            except BrokenPipeError as error:
                raise SourceError(_BROKEN) from error
            for _ in asked:
                yield self._answer(max_bytes)

    def _answer(self, max_bytes: int) -> Blob:
        header = self._answers.readline().split()
        if not header:
            raise SourceError(_BROKEN)
        if len(header) != len(("sha", "type", "size")):
            return Blob(None, 0)
        size = int(header[2])
        if size <= max_bytes:
            content = self._answers.read(size)
            self._answers.read(1)
            return Blob(content, size)
        rest = size + 1
        while rest:
            rest -= len(self._answers.read(min(rest, _READ_BYTES))) or rest
        return Blob(None, size)


def _split(stream: IO[bytes], width: int) -> Iterator[list[str]]:
    carry: list[bytes] = [b""]
    while data := stream.read(_READ_BYTES):
        fields = data.split(b"\0")
        fields[0] = carry[-1] + fields[0]
        fields = carry[:-1] + fields
        whole = (len(fields) - 1) // width * width
        carry = fields[whole:]
        if whole:
            yield b"\0".join(fields[:whole]).decode("utf-8", "backslashreplace").split("\0")
    if rest := carry[:-1]:
        yield [field.decode("utf-8", "backslashreplace") for field in rest]


@contextmanager
def _spooled(lines: Iterable[str] | None) -> Iterator[IO[bytes] | int]:
    """Hold lines in a file: a process that reads them while it is read from cannot block on it."""
    if lines is None:
        yield subprocess.DEVNULL
        return
    with tempfile.TemporaryFile() as file:
        file.write("".join(f"{line}\n" for line in lines).encode())
        file.seek(0)
        yield file


def _opened(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None  # noqa: S101 - each is asked for as a pipe
    return stream
