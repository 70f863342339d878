"""Parameters of a report: what its notebook declares, and whether what was given fits.

A notebook declares them in the one cell tagged `parameters`, as annotated literals whose comments
are the help; papermill puts the values of a run into a cell after it:

    environment: str = "dev"  # environment to report on, as gitopslab.toml names it
    since: "Time" = "56d"     # first instant, UTC: 2026-05-01, or a length before as_of such as 14d
"""

import ast
import difflib
import io
import json
import math
import re
import tokenize
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, cast, get_args

from gitopslab.errors import ParameterError, UsageError
from gitopslab.window import parse_time

Kind = Literal["str", "int", "float", "bool", "Time"]
Value = str | int | float | bool

_KINDS = get_args(Kind)
_TYPES: Mapping[str, tuple[type, ...]] = {
    "str": (str,),
    "Time": (str,),
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
}
_WANTED: Mapping[str, str] = {
    "str": "text; quote it (papermill takes text as it is with -r)",
    "Time": "text; write 2026-05-01, or a length before as_of such as 14d",
    "int": "a whole number; write 2000",
    "float": "a number; write 0.95",
    "bool": "true or false; write one of the two",
}
_BOOLEANS = {"true": True, "false": False}
_SECRET = re.compile(r"passw|secret|token|credential|api_?key|private_?key|(^|_)dsn(_|$)", re.IGNORECASE)
_INJECTED = "# Parameters\n"


@dataclass(frozen=True)
class Parameter:
    """One parameter of a report.

    Attributes:
        name: What it is called in the notebook and on the command line.
        kind: Its type. `Time` is text that `window.parse_time` reads; it stays text, as a length
            such as 14d means nothing before the warehouse has said what `as_of` is.
        default: Its value when none is given.
        help: The comment beside it.
    """

    name: str
    kind: Kind
    default: Value
    help: str


def declared(notebook: Path) -> list[Parameter]:
    """Return the parameters that the notebook at `notebook` takes, in its order.

    Raises:
        ParameterError: It is not a notebook, not exactly one cell of it is tagged `parameters`, or
            that cell holds something other than literals annotated with a type there is.
    """
    cells = _cells(notebook)
    tagged = [
        (number, "".join(cell.get("source", "")))
        for number, cell in enumerate(cells, 1)
        if "parameters" in cell.get("metadata", {}).get("tags", [])
    ]
    if len(tagged) != 1:
        found = f"cells {', '.join(str(number) for number, _ in tagged)} are" if tagged else "no cell is"
        raise ParameterError(
            f"{notebook.name}: {found} tagged `parameters`; a report has exactly one that is"
        )
    number, source = tagged[0]
    where = f"{notebook.name}: cell {number} (parameters)"
    parameters = _declarations(source, where)
    check(parameters, {}, report=where)
    return parameters


def check(parameters: Sequence[Parameter], given: Mapping[str, Any], *, report: str) -> dict[str, Value]:
    """Return a value of the right type for each of `parameters`: the one given, or its default.

    Args:
        parameters: What the report takes.
        given: Values by name; text, as from a command line, is read as the parameter's type.
        report: What messages call the report.

    Raises:
        ParameterError: One given is not taken, or a value does not fit its type.
    """
    _refuse_unknown(parameters, given, report)
    return {p.name: _value(p, given.get(p.name, p.default), report) for p in parameters}


def confirm(namespace: Mapping[str, Any]) -> dict[str, Value]:
    """Return the checked parameters of the notebook that this is called in, as `confirm(globals())`.

    papermill's own command injects what it is given without asking whether the notebook takes it,
    and a person edits the cell by hand; called first after the parameters, this refuses what
    `check` refuses, from the record of the cells that ran.

    Raises:
        ParameterError: A parameter was injected that the notebook does not take, a value does not
            fit its type, or the parameters cell has not run.
    """
    ran = [str(source) for source in namespace.get("In", [])]
    report = "this notebook"
    declaring = next((source for source in reversed(ran) if _is_declaring(source)), None)
    if declaring is None:
        raise ParameterError(f"{report}: its parameters cell has not run; run it before `confirm`")
    parameters = _declarations(declaring, report)
    injected = [name for source in ran if source.startswith(_INJECTED) for name in _assigned(source)]
    _refuse_unknown(parameters, dict.fromkeys(injected), report)
    return check(parameters, {p.name: namespace.get(p.name, p.default) for p in parameters}, report=report)


def _cells(notebook: Path) -> list[dict[str, Any]]:
    try:
        return list(json.loads(notebook.read_text(encoding="utf-8"))["cells"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ParameterError(f"{notebook}: not a notebook: {type(error).__name__}") from error


def _declarations(source: str, where: str) -> list[Parameter]:
    try:
        statements = ast.parse(source).body
    except (SyntaxError, ValueError) as error:
        raise ParameterError(f"{where}: not Python: {error}") from error
    comments = _comments(source)
    parameters = [_declaration(statement, comments, where) for statement in statements]
    names = [p.name for p in parameters]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ParameterError(f"{where}: {', '.join(twice)} declared twice")
    return parameters


def _declaration(statement: ast.stmt, comments: Mapping[int, str], where: str) -> Parameter:
    here = f"{where}, line {statement.lineno}"
    if (
        not isinstance(statement, ast.AnnAssign)
        or not isinstance(statement.target, ast.Name)
        or not statement.value
    ):
        raise ParameterError(f'{here}: not a parameter; write name: str = "value"  # what it means')
    name, kind = statement.target.id, _annotation(statement.annotation)
    if kind not in _KINDS:
        raise ParameterError(f"{here}: {name} is of no type a parameter has; there are: {', '.join(_KINDS)}")
    try:
        default = ast.literal_eval(statement.value)
    except (ValueError, TypeError) as error:
        raise ParameterError(f"{here}: the default of {name} is not a literal") from error
    if not _is_of_kind(default, kind):
        raise ParameterError(f"{here}: the default of {name}, {default!r}, is no {kind}")
    if kind == "str" and _SECRET.search(name):
        raise ParameterError(
            f"{here}: {name} sounds like a secret, and parameters are printed in every report"
        )
    return Parameter(
        name, cast("Kind", kind), default, comments.get(statement.end_lineno or statement.lineno, "")
    )


def _annotation(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return str(node.value) if isinstance(node, ast.Constant) else ""


def _comments(source: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {t.start[0]: t.string.lstrip("# ").strip() for t in tokens if t.type == tokenize.COMMENT}


def _is_declaring(source: str) -> bool:
    try:
        statements = ast.parse(source).body
    except (SyntaxError, ValueError):  # a cell with a magic in it
        return False
    return bool(statements) and all(isinstance(s, ast.AnnAssign) for s in statements)


def _assigned(source: str) -> list[str]:
    targets = [t for s in ast.parse(source).body if isinstance(s, ast.Assign) for t in s.targets]
    return [t.id for t in targets if isinstance(t, ast.Name)]


def _refuse_unknown(parameters: Sequence[Parameter], given: Mapping[str, Any], report: str) -> None:
    names = [p.name for p in parameters]
    unknown = sorted(str(name) for name in given if name not in names)
    if not unknown:
        return
    close = difflib.get_close_matches(unknown[0], names, n=1)
    meant = f" (did you mean {close[0]}?)" if close else ""
    refused = ", ".join(name if name.isidentifier() else ascii(name) for name in unknown)
    raise ParameterError(
        f"{report} does not take {refused}; it takes {', '.join(sorted(names)) or 'none'}{meant}"
    )


def _is_of_kind(value: object, kind: str) -> bool:
    # bool is an int to Python, and a mistake to people
    return isinstance(value, _TYPES[kind]) and isinstance(value, bool) == (kind == "bool")


def _value(parameter: Parameter, given: object, report: str) -> Value:
    value = _read(given, parameter.kind) if isinstance(given, str) else given
    wrong = f"{report}: {parameter.name}={given!a} is not"
    if not _is_of_kind(value, parameter.kind):
        raise ParameterError(f"{wrong} {_WANTED[parameter.kind]}")
    if isinstance(value, float) and not math.isfinite(value):
        raise ParameterError(f"{wrong} a finite number")
    if parameter.kind == "Time":
        _check_time(parameter, str(value), report)
    return cast("Value", float(value) if parameter.kind == "float" and isinstance(value, int) else value)


def _read(text: str, kind: Kind) -> object:
    if kind in {"str", "Time"}:
        return text
    if kind == "bool":
        return _BOOLEANS.get(text.strip().lower())
    try:
        return int(text) if kind == "int" else float(text)
    except ValueError:
        return None


def _check_time(parameter: Parameter, text: str, report: str) -> None:
    if not text and parameter.default == "":
        return  # empty says: as the warehouse has it
    as_of = None if parameter.name == "as_of" else datetime.now(UTC)
    where = f"{report}: {parameter.name}={text!a}"
    try:
        parse_time(text, as_of=as_of)
    except UsageError as error:
        raise ParameterError(f"{where} is not a time; {str(error).partition('; ')[2] or error}") from error
    except OverflowError as error:
        raise ParameterError(f"{where} is not a time; it lies outside the years 1 to 9999") from error
