"""Folders of runs: reports/<report>/<run>/, each seen whole or not at all."""

import errno
import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from gitopslab.parameters import Value

FAILED = ".failed"
"""Ending of the folder that keeps what there is of a run that failed."""
RESULT_FILE = "result.json"
FAILURE_FILE = "failure.json"
"""Takes the place of the result in such a folder; its headline says why."""

_LONGEST_READABLE = 80


def run_name(parameters: Mapping[str, Value], build_id: str) -> str:
    """Return the folder name of a run: readable, and the same for the same parameters and build.

    Whatever the values hold, it has no separator, no leading dot and less than 100 characters.
    """
    readable = "_".join(str(value) for value in parameters.values() if value != "")
    readable = re.sub(r"[^A-Za-z0-9_]+", "-", readable).strip("-_")[:_LONGEST_READABLE]
    whole = json.dumps([parameters, build_id], sort_keys=True)
    return f"{readable or 'run'}-{hashlib.sha256(whole.encode()).hexdigest()[:12]}"


def publish(folder: Path, files: Mapping[str, str]) -> None:
    """Put `files` (content by name) at `folder`, in place of what was there.

    They are written beside it under a hidden name first; of two that publish at once, one stays.
    """
    draft = _hidden(folder)
    try:
        draft.mkdir(parents=True)
        for name, content in files.items():
            # What is no character, such as half a surrogate pair, is shown as a question mark.
            (draft / name).write_text(content, encoding="utf-8", errors="replace", newline="\n")
        _swap(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def remove(folder: Path) -> None:
    """Remove `folder` at once, if it is there."""
    gone = _hidden(folder)
    with suppress(FileNotFoundError):
        folder.rename(gone)
        shutil.rmtree(gone)


def _swap(draft: Path, folder: Path) -> None:
    while True:
        try:
            draft.rename(folder)
        except OSError as error:
            if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
                raise
            remove(folder)
        else:
            return


def _hidden(folder: Path) -> Path:
    return folder.with_name(f".{uuid4().hex}")
