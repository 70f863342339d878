"""Running a notebook as a report. The only module that imports papermill."""

import json
import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any

from gitopslab import parameters
from gitopslab.errors import ReportError, UsageError
from gitopslab.parameters import Parameter, Value
from gitopslab.queries import SHIPPED
from gitopslab.reports import folders, kernel, result
from gitopslab.settings import Settings
from gitopslab.version import __version__
from gitopslab.window import Window

NOTEBOOKS = SHIPPED / "notebooks"
"""Where the notebooks lie that travel with the package."""

Progress = Callable[[int, int], None]
"""Called with how many code cells are done, and how many there are."""

_START_SECONDS = 60
# After a cell, what it printed may still be on its way; a flood of it takes longer than nbclient's 4 s.
_OUTPUT_SECONDS = 60
_LONGEST_REASON = 300
# What a notebook raises where it was asked for something that is not there, rather than broken.
_WRONG_INPUT = {"UsageError"} | {kind.__name__ for kind in UsageError.__subclasses__()}


@dataclass(frozen=True)
class Description:
    """What a report is: the title of its notebook, and the parameters it takes."""

    title: str
    parameters: tuple[Parameter, ...]


@dataclass(frozen=True)
class ReportRun:
    """A finished run.

    Attributes:
        name: Name of the report.
        folder: Holds the files below, and nothing else.
        page: The page for people.
        notebook: The executed notebook.
        result_file: The result for machines.
        result: What result.json holds.
        seconds: How long it took, with the start of the kernel.
    """

    name: str
    folder: Path
    page: Path
    notebook: Path
    result_file: Path
    result: Mapping[str, Any]
    seconds: float


def names(notebooks: Path = NOTEBOOKS) -> list[str]:
    """Return the reports there are: one a notebook."""
    return sorted(path.stem for path in notebooks.glob("*.ipynb"))


def describe(name: str, notebooks: Path = NOTEBOOKS) -> Description:
    """Return the title of a report and the parameters it takes.

    Raises:
        ReportError: There is no such report.
        ParameterError: Its parameters cell is not in order.
    """
    path = _find(name, notebooks)
    declared = parameters.declared(path)
    cells = _read(path)["cells"]
    lines = ("".join(cell["source"]).strip() for cell in cells if cell["cell_type"] == "markdown")
    title = next((line.splitlines()[0].lstrip("# ") for line in lines if line), name)
    return Description(title, tuple(declared))


def render(  # noqa: PLR0913 - what a run is asked for, each by its name
    name: str,
    given: Mapping[str, Any],
    settings: Settings,
    *,
    timeout_seconds: float = 900,
    progress: Progress | None = None,
    notebooks: Path = NOTEBOOKS,
) -> ReportRun:
    """Run a report on the warehouse of `settings` and keep its page, notebook and result.

    They lie in a folder named after the parameters and the build; a run of the same replaces them
    whole. When it fails, the notebook as far as it came is kept in that folder's name with `.failed`.

    Args:
        name: One of `names()`.
        given: Parameters by name; text is read as the type declared.
        settings: Name the warehouse and the folder of reports; the notebook finds the same.
        timeout_seconds: How long its cells may take together.
        progress: Told after each code cell.
        notebooks: Where it lies.

    Raises:
        ParameterError: It does not take one of `given`; no kernel was started.
        LakeError: There is no warehouse; no kernel was started.
        ReportError: There is no such report, or it failed; the message names the notebook kept.
    """
    started = time.monotonic()
    path = _find(name, notebooks)
    values = parameters.check(parameters.declared(path), given, report=name)
    build = _build(settings)
    build_id = str(build["build_id"])
    run = {"report": name, "parameters": values, "build": build_id}
    folder = settings.reports.path / name / folders.run_name(values, build_id)
    failed = folder.with_name(folder.name + folders.FAILED)
    with kernel.private_folder() as private:
        executed = private / path.name
        try:
            _execute(
                path,
                executed,
                values,
                kernel_manager_class=kernel.kernel_manager(private, settings),
                timeout_func=_remaining(timeout_seconds),
                on_cell_executed=_teller(progress, path),
            )
            record = _result(_read(executed), name) | run
        except ReportError as error:
            kept = _read(executed if executed.is_file() else path)
            failure = {"headline": str(error)} | run
            folders.publish(failed, {path.name: _json(kept), folders.FAILURE_FILE: _json(failure)})
            raise ReportError(f"{error}; the notebook is kept at {failed / path.name}") from error
        notebook = _read(executed)
    page = _page(name, notebook, record, build)
    folders.publish(
        folder, {"report.html": page, path.name: _json(notebook), folders.RESULT_FILE: _json(record)}
    )
    folders.remove(failed)
    return ReportRun(
        name=name,
        folder=folder,
        page=folder / "report.html",
        notebook=folder / path.name,
        result_file=folder / folders.RESULT_FILE,
        result=record,
        seconds=time.monotonic() - started,
    )


def _find(name: str, notebooks: Path) -> Path:
    if name not in (known := names(notebooks)):
        raise UsageError(f"no report {name!r}; there are: {', '.join(known) or 'none'}")
    return notebooks / f"{name}.ipynb"


def _read(notebook: Path) -> dict[str, Any]:
    return dict(json.loads(notebook.read_text(encoding="utf-8")))


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n"


def _build(settings: Settings) -> dict[str, Any]:
    from gitopslab.warehouse import Warehouse

    with Warehouse(settings.warehouse.path) as warehouse:
        return warehouse.build


def _execute(notebook: Path, executed: Path, values: Mapping[str, Value], **options: Any) -> None:
    """Run `notebook` and write it with its outputs to `executed`, also when it fails.

    Raises:
        ReportError: A cell failed or took too long, or the kernel ended.
    """
    import papermill
    from nbclient.exceptions import CellTimeoutError

    # It warns of parameters it cannot infer, which are checked, and logs what is raised anyway.
    logging.getLogger("papermill").setLevel(logging.CRITICAL)
    scratch = executed.parent / "scratch"
    scratch.mkdir()
    where = notebook.stem
    try:
        papermill.execute_notebook(
            _braced(notebook),
            _braced(executed),
            dict(values),
            kernel_name="python3",
            language="python",
            progress_bar=False,
            start_timeout=_START_SECONDS,
            iopub_timeout=_OUTPUT_SECONDS,
            coalesce_streams=True,
            shutdown_kernel="immediate",
            cwd=scratch,
            **options,
        )
    except papermill.PapermillExecutionError as error:
        if error.ename in _WRONG_INPUT:
            raise UsageError(f"{where}: {_one_line(error.evalue)}") from error
        reason = _one_line(f"{error.ename}: {error.evalue}")
        raise ReportError(f"{where}: cell [{error.exec_count}]: {reason}") from error
    except CellTimeoutError as error:
        reason = "a cell took longer than it may, or printed what cannot be sent"
        raise ReportError(f"{where}: {reason}; give it more seconds, or ask for less") from error
    except RuntimeError as error:  # nbclient's DeadKernelError, and its plain ones while a kernel starts
        log = (executed.parent / kernel.LOG).read_text(encoding="utf-8", errors="replace")
        raise ReportError(
            f"{where}: its kernel ended: {_one_line(f'{error} {log[-_LONGEST_REASON:]}')}"
        ) from error


def _braced(path: Path) -> str:
    """Return `path` for papermill, which takes it for a format string."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _remaining(timeout_seconds: float) -> Callable[[object], float]:
    deadline = time.monotonic() + timeout_seconds
    return lambda _: max(deadline - time.monotonic(), 0.001)  # 0 would mean: forever


def _teller(progress: Progress | None, notebook: Path) -> Callable[..., None] | None:
    if progress is None:
        return None
    cells = _read(notebook)["cells"]
    total = sum(cell["cell_type"] == "code" and bool("".join(cell["source"]).strip()) for cell in cells)
    total += 1  # the one papermill puts the values into
    done = iter(range(1, total + 1))
    return lambda **_: progress(next(done), total)


def _result(notebook: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the result that an executed notebook displayed.

    Raises:
        ReportError: It left before its end, or did not display exactly one.
    """
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
    if any(output["output_type"] == "error" for output in outputs):  # papermill lets sys.exit(0) pass
        raise ReportError(f"{name}: a cell left with sys.exit; a report runs to its end")
    results = [data[result.MIME] for output in outputs if result.MIME in (data := output.get("data", {}))]
    if len(results) != 1:
        raise ReportError(
            f"{name}: displayed {len(results)} results; a report displays one reports.result.Result"
        )
    return dict(results[0])


def _page(name: str, notebook: Mapping[str, Any], record: Mapping[str, Any], build: Mapping[str, Any]) -> str:
    from gitopslab.reports import page

    window = record.get("window")
    about = page.About(
        report=name,
        window=str(Window.parse(window["since"], window["until"])) if window else "",
        build_id=str(build["build_id"]),
        built_at=f"{build['built_at'].astimezone(UTC):%Y-%m-%d %H:%M} UTC",
        parameters=record["parameters"],
        version=__version__,
    )
    return page.render(notebook, about)


def _one_line(text: str) -> str:
    """Return `text`, which may hold anything, as one printable line of a message."""
    printable = "".join(c if c.isprintable() else " " for c in re.sub(r"\x1b\[[0-9;]*m", "", text))
    line = " ".join(printable.split())
    return line if len(line) <= _LONGEST_REASON else line[:_LONGEST_REASON] + "…"
