"""A git repository that is written commit by commit while the clock runs, through `git fast-import`.

git computes every sha itself and says it at once, so a controller of the simulation can write it down.
The same commits give the same bytes: nothing of the user's or the machine's configuration takes part.
Branches and notes are there once the repository is closed.
"""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple, NoReturn, Self

from gitopslab.errors import UsageError

_ENVIRONMENT = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "LC_ALL": "C"}
_CRUD = dict.fromkeys(map(ord, "<>\n\0"))


class Identity(NamedTuple):
    """Who wrote or committed something; what git does not allow in a name is left out of its text."""

    name: str
    email: str

    def __str__(self) -> str:
        return f"{self.name.translate(_CRUD)} <{self.email.translate(_CRUD)}>"


@dataclass(frozen=True)
class Commit:
    """A commit on a branch, on top of what the branch is.

    Attributes:
        branch: Short name of the branch; it begins with its first commit.
        author: Who wrote the change.
        authored_at: When, seconds since the epoch; git keeps whole seconds.
        committer: Who put it on the branch.
        committed_at: When.
        message: The whole message.
        files: Path to what the file holds from now on; None: the file is gone.
        base: Sha that a new branch begins at; empty: the branch exists, or has no past.
        merges: Sha that is merged, as the second parent; its files are taken over as they are.
    """

    branch: str
    author: Identity
    authored_at: float
    committer: Identity
    committed_at: float
    message: str
    files: Mapping[str, bytes | None] = field(default_factory=dict)
    base: str = ""
    merges: str = ""


class Repository:
    """A bare repository in the making; use it as a context manager, or call `close`.

    Args:
        folder: Where it is made; must not exist.
        branch: Its default branch.

    Raises:
        UsageError: git is not installed, or `folder` exists.
    """

    def __init__(self, folder: Path, branch: str = "main") -> None:
        git = shutil.which("git")
        if git is None:
            raise UsageError("git repositories: git is not installed; install git 2.28 or newer")
        if folder.exists():
            raise UsageError(f"{folder}: exists; name a folder that does not")
        self._folder = folder
        _run(git, "init", "--quiet", "--bare", "--template=", f"--initial-branch={branch}", str(folder))
        self._process, self._commands, self._answers = _start(git, folder)
        # fast-import finds what it has just made by its mark only, not by its sha
        self._marks: dict[str, int] = {}
        self._last_mark = 0

    def commit(self, commit: Commit) -> str:
        """Make a commit and return its sha.

        Raises:
            UsageError: `base` or `merges` is no commit that was made here.
        """
        self._last_mark += 1
        mark = self._last_mark
        parts = [
            f"commit refs/heads/{commit.branch}\nmark :{mark}\n",
            _by("author", commit.author, commit.authored_at),
            _by("committer", commit.committer, commit.committed_at),
        ]
        lines = [part.encode() for part in parts]
        lines.append(_data(commit.message.encode()))
        if commit.base:
            lines.append(f"from {self._mark(commit.base)}\n".encode())
        if commit.merges:
            merged = self._mark(commit.merges)
            tree = self._ask(f"ls {merged} \n".encode()).split()[2].decode()
            lines.append(f"merge {merged}\nM 040000 {tree} \n".encode())
        lines.extend(_change(path, content) for path, content in commit.files.items())
        lines.append(f"\nget-mark :{mark}\n".encode())
        sha = self._ask(b"".join(lines)).rstrip().decode()
        self._marks[sha] = mark
        return sha

    def note(self, ref: str, sha: str, text: str, *, by: Identity, at: float) -> None:
        """Attach a note to a commit under a notes ref, instead of one that is there."""
        head = f"commit {ref}\n{_by('committer', by, at)}"
        message = _data(b"Notes added by 'git notes add'\n")
        noted = f"N inline {self._mark(sha)}\n"
        self._tell(head.encode() + message + noted.encode() + _data(text.encode()) + b"\n")

    def close(self) -> None:
        """End the repository; branches and notes are in it from now on.

        Raises:
            UsageError: git could not write it.
        """
        with contextlib.suppress(BrokenPipeError):
            self._commands.close()
        code = self._process.wait()
        self._answers.close()
        if code:
            raise UsageError(f"{self._folder}: git fast-import ended with {code}; is the disk full?")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _mark(self, sha: str) -> str:
        if sha not in self._marks:
            raise UsageError(f"{self._folder}: {sha!r} is no commit of this repository; give one it returned")
        return f":{self._marks[sha]}"

    def _ask(self, command: bytes) -> bytes:
        self._tell(command)
        return self._answers.readline() or self._stopped()

    def _tell(self, command: bytes) -> None:
        try:
            self._commands.write(command)
            self._commands.flush()
        except BrokenPipeError:
            self._stopped()

    def _stopped(self) -> NoReturn:
        raise UsageError(f"{self._folder}: git fast-import stopped; its message is on standard error")


def _run(git: str, *arguments: str) -> None:
    try:
        subprocess.run([git, *arguments], check=True, env=_environment())  # noqa: S603 - git, with arguments made here
    except subprocess.CalledProcessError as error:
        raise UsageError(f"git {arguments[0]}: ended with {error.returncode}") from error


def _start(git: str, folder: Path) -> tuple[subprocess.Popen[bytes], BinaryIO, BinaryIO]:
    """Start fast-import, and return it with the pipes for its commands and its answers."""
    listening, commands = os.pipe()
    answers, answering = os.pipe()
    arguments = ("fast-import", "--quiet", "--date-format=raw", f"--cat-blob-fd={answering}")
    process = subprocess.Popen(  # noqa: S603 - git, with arguments made here
        # the fastest compression takes a third off the time, and adds a twentieth to the size
        [git, "-c", "core.compression=1", *arguments],
        cwd=folder,
        env=_environment() | {"GIT_DIR": str(folder.absolute())},
        stdin=listening,
        pass_fds=[answering],
    )
    os.close(listening)
    os.close(answering)
    return process, os.fdopen(commands, "wb"), os.fdopen(answers, "rb")


def _environment() -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return inherited | _ENVIRONMENT


def _by(role: str, who: Identity, at: float) -> str:
    return f"{role} {who} {int(at)} +0000\n"


def _data(content: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(content), content)


def _change(path: str, content: bytes | None) -> bytes:
    quoted = path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    if content is None:
        return f'D "{quoted}"\n'.encode()
    return f'M 100644 inline "{quoted}"\n'.encode() + _data(content)
