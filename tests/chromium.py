"""A real browser without a window: what it leaves of a page, as text."""

import shutil
import subprocess
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="no Chromium on PATH to open a page in")

_FLAGS = "headless no-sandbox disable-gpu disable-quic no-first-run disable-background-networking"
_FLAGS += " disable-component-update disable-sync dump-dom virtual-time-budget=5000"


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
