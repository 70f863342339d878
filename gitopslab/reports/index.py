"""The index of reports: one page that lists every run there is."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote
from uuid import uuid4

from gitopslab.errors import UsageError
from gitopslab.reports import page
from gitopslab.reports.folders import FAILED, FAILURE_FILE, RESULT_FILE


@dataclass(frozen=True)
class Run:
    """A line of the index.

    Attributes:
        report: Name of the report.
        headline: What it found, or what became of it.
        parameters: Value of each parameter.
        build: Which build of the warehouse it read.
        made_at: When its files were written, UTC.
        link: Its page, or its notebook when there is none, from the index.
        is_finished: Whether it came to a result that can be read.
    """

    report: str
    headline: str
    parameters: Mapping[str, Any]
    build: str
    made_at: datetime
    link: str
    is_finished: bool


def write_index(folder: Path) -> Path:
    """Write index.html into `folder`, which holds a folder a report, and return it.

    Runs that end meanwhile are listed too: whoever writes last has looked last.
    """
    index = folder / "index.html"
    folder.mkdir(parents=True, exist_ok=True)
    while True:
        found = runs(folder)
        draft = folder / f".{uuid4().hex}"
        draft.write_text(page.fill("index.html.j2", [], runs=found), encoding="utf-8", errors="replace")
        draft.replace(index)
        if runs(folder) == found:
            return index


def runs(folder: Path) -> list[Run]:
    """Return every run below `folder`, newest first; one that failed or cannot be read says so."""
    folders = [path for path in folder.glob("*/*") if path.is_dir() and not path.name.startswith(".")]
    found = [run for path in folders if (run := _run(path))]
    return sorted(found, key=lambda run: (run.made_at, run.link), reverse=True)


def latest(folder: Path, report: str) -> Path:
    """Return the page of the newest run of `report` that came to its end; its result lies beside it.

    Raises:
        UsageError: There is none.
    """
    for run in runs(folder):
        if run.report == report and run.is_finished:
            return folder / unquote(run.link)
    raise UsageError(f"{folder}: no finished run of {report!r}; `gitopslab report {report}` makes one")


def _run(path: Path) -> Run | None:
    try:
        made_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except FileNotFoundError:  # replaced by a newer one just now
        return None
    has_failed = path.name.endswith(FAILED)
    report = path.parent.name
    link = quote(f"{report}/{path.name}/{f'{report}.ipynb' if has_failed else 'report.html'}")
    try:
        record = json.loads(
            (path / (FAILURE_FILE if has_failed else RESULT_FILE)).read_text(encoding="utf-8")
        )
        headline, parameters, build = (
            str(record["headline"]),
            dict(record["parameters"]),
            str(record["build"]),
        )
    except (OSError, ValueError, LookupError, TypeError):
        return Run(report, "what it found cannot be read", {}, "", made_at, link, is_finished=False)
    return Run(report, headline, parameters, build, made_at, link, is_finished=not has_failed)
