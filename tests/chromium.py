"""A real browser without a window: what it leaves of a page, as text, or asked while the page is open."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Self

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="no Chromium on PATH to open a page in")

_QUIET = "headless no-sandbox disable-gpu disable-quic no-first-run disable-background-networking"
_QUIET += " disable-component-update disable-sync"
_FLAGS = f"{_QUIET} dump-dom virtual-time-budget=5000"
# What is seen is told a frame later, and drawn in that one.
_FEW_FRAMES = """new Promise(done => {
  let left = 10;
  const next = () => left-- ? requestAnimationFrame(next) : setTimeout(done);
  next();
})"""


def document(page: str, folder: Path, *flags: str) -> str:
    """Return the document at the URL `page` as it is after five seconds of the page's own time.

    Args:
        page: What is opened; with an anchor, the page is scrolled to it.
        folder: Where the browser keeps what it needs to.
        flags: What Chromium is told besides.
    """
    command = [str(CHROMIUM), *(f"--{flag}" for flag in (*_FLAGS.split(), *flags))]
    command += [f"--user-data-dir={folder / 'browser'}", page]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


class Page:
    """A page that is open in a browser, which is told what to do through a pair of pipes.

    Args:
        commands: The pipe that the browser reads.
        answers: The pipe that it writes.
    """

    def __init__(self, commands: BinaryIO, answers: BinaryIO) -> None:
        self._commands, self._answers = commands, answers
        self._unread = b""
        self._count = 0
        self._session: dict[str, str] = {}
        [page] = [each for each in self._ask("Target.getTargets")["targetInfos"] if each["type"] == "page"]
        found = self._ask("Target.attachToTarget", targetId=page["targetId"], flatten=True)
        self._session = {"sessionId": found["sessionId"]}
        self._ask("Page.enable")

    def open(self, url: str) -> Self:
        """Open `url`, and return when it is loaded and has been shown for some frames."""
        self._ask("Page.navigate", url=url)
        while self._read().get("method") != "Page.loadEventFired":
            pass
        self.evaluate(_FEW_FRAMES)
        return self

    def evaluate(self, script: str) -> Any:
        """Return what an expression is in the page."""
        return self._ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)[
            "result"
        ].get("value")

    def do(self, script: str) -> None:
        """Run a script in the page, and return when some frames have been shown after it."""
        self.evaluate(f"{script}; {_FEW_FRAMES}")

    def print(self) -> None:
        """Print the page, to nowhere."""
        self._ask("Page.printToPDF")

    def _ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._count += 1
        asked = {"id": self._count, "method": method, "params": parameters} | self._session
        self._commands.write(json.dumps(asked).encode() + b"\0")
        while (answer := self._read()).get("id") != self._count:
            pass
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        assert "exceptionDetails" not in result, result
        return result

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._unread:
            more = self._answers.read(1 << 20)
            assert more, "the browser has ended"
            self._unread += more
        message, _, self._unread = self._unread.partition(b"\0")
        read: dict[str, Any] = json.loads(message)
        return read


@contextmanager
def browsing(folder: Path, *flags: str) -> Iterator[Page]:
    """Have a browser open while the block lasts.

    Args:
        folder: Where it keeps what it needs to.
        flags: What it is told besides.
    """
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    told = [*_QUIET.split(), "remote-debugging-pipe", f"user-data-dir={folder / 'browser'}", *flags]
    # It reads file 3 and writes file 4.
    command = ["bash", "-c", f'exec "$0" "$@" 3<&{theirs_in} 4>&{theirs_out}', str(CHROMIUM)]
    command += [f"--{flag}" for flag in told]
    with (
        os.fdopen(ours_out, "wb", 0) as commands,
        os.fdopen(ours_in, "rb", 0) as answers,
        subprocess.Popen(
            [*command, "about:blank"],
            pass_fds=(theirs_in, theirs_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process,
    ):
        os.close(theirs_in)
        os.close(theirs_out)
        try:
            yield Page(commands, answers)
        finally:
            process.terminate()
