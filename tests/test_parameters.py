import json
from pathlib import Path
from typing import Any

import pytest

from gitopslab.errors import ParameterError
from gitopslab.parameters import Parameter, check, confirm, declared

NOTEBOOKS = Path(__file__).parent / "notebooks"

SINCE = Parameter("since", "Time", "14d", "first instant, UTC")
AS_OF = Parameter("as_of", "Time", "", "the report's now; empty: when the warehouse last saw anything")
ENVIRONMENT = Parameter("environment", "str", "dev", "environment to report on")
SAMPLES = Parameter("samples", "int", 2000, "how often")
CONFIDENCE = Parameter("confidence", "float", 0.95, "of the interval")
WITH_OPEN = Parameter("with_open", "bool", True, "count changes that have not arrived")
ALL = [ENVIRONMENT, SINCE, AS_OF, SAMPLES, CONFIDENCE, WITH_OPEN]


def notebook(folder: Path, *sources: str) -> Path:
    cells = [
        {"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": source} for source in sources
    ]
    file = folder / "lead_time.ipynb"
    file.write_text(json.dumps({"cells": cells}))
    return file


def test_name_type_default_and_comment_are_declared(tmp_path):
    file = notebook(tmp_path, 'since: "Time" = "14d"  # first instant, UTC\nsamples: int = 2000  # how often')

    assert declared(file) == [SINCE, SAMPLES]


def test_a_comment_beside_the_last_line_of_a_default_is_its_help(tmp_path):
    file = notebook(tmp_path, 'since: "Time" = (\n    "14d"\n)  # first instant, UTC')

    assert declared(file) == [SINCE]


def test_a_hash_inside_a_default_is_no_comment(tmp_path):
    file = notebook(tmp_path, 'branch: str = "a # b"  # its active branch')

    assert declared(file) == [Parameter("branch", "str", "a # b", "its active branch")]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("samples = 2000", "line 1: not a parameter"),
        ("import os", "line 1: not a parameter"),
        ("samples: int", "line 1: not a parameter"),
        ("%matplotlib inline", "not Python"),
        ("samples: list = []", "line 1: samples is of no type a parameter has; there are: str, int"),
        ("\nhome: str = open('x').read()", "line 2: the default of home is not a literal"),
        ("samples: int = 2.5", "line 1: the default of samples, 2.5, is no int"),
        ("samples: int = True", "line 1: the default of samples, True, is no int"),
        ("a: int = 1\na: int = 2", "a declared twice"),
        ('api_token: str = ""', "line 1: api_token sounds like a secret"),
        ('since: "Time" = "tomorrow"', "since='tomorrow' is not a time"),
    ],
)
def test_a_cell_that_declares_something_else_is_named(tmp_path, source, reason):
    with pytest.raises(ParameterError) as refusal:
        declared(notebook(tmp_path, source))

    assert str(refusal.value).startswith("lead_time.ipynb: cell 1 (parameters)")
    assert reason in str(refusal.value)


def test_a_count_of_tokens_is_no_secret(tmp_path):
    assert declared(notebook(tmp_path, "max_tokens: int = 4096  # of an answer"))[0].name == "max_tokens"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_parameters", "no cell is tagged `parameters`; a report has exactly one"),
        ("two_parameters", "cells 1, 2 are tagged `parameters`; a report has exactly one"),
        ("not_literal", "cell 1 \\(parameters\\), line 1: not a parameter"),
    ],
)
def test_an_odd_notebook_says_what_is_odd(name, message):
    with pytest.raises(ParameterError, match=f"^{name}.ipynb: {message}"):
        declared(NOTEBOOKS / f"{name}.ipynb")


def test_what_is_no_notebook_is_refused(tmp_path):
    (tmp_path / "x.ipynb").write_text("[]")

    with pytest.raises(ParameterError, match="not a notebook"):
        declared(tmp_path / "x.ipynb")


def test_text_from_a_command_line_is_read_as_the_type_declared():
    given = {
        "samples": "10",
        "confidence": "0.9",
        "with_open": "false",
        "since": "2026-05-01",
        "environment": "7",
    }

    assert check(ALL, given, report="lead_time") == {
        "environment": "7",
        "since": "2026-05-01",
        "as_of": "",
        "samples": 10,
        "confidence": 0.9,
        "with_open": False,
    }


def test_a_whole_number_is_a_float_where_one_is_wanted():
    assert repr(check([CONFIDENCE], {"confidence": 1}, report="lead_time")["confidence"]) == "1.0"


def test_an_unknown_parameter_is_refused_with_what_was_meant():
    with pytest.raises(ParameterError) as refusal:
        check([AS_OF, ENVIRONMENT, SINCE], {"sinse": "14d"}, report="lead_time")

    assert str(refusal.value) == (
        "lead_time does not take sinse; it takes as_of, environment, since (did you mean since?)"
    )


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("as_of", "tomorrow", "lead_time: as_of='tomorrow' is not a time; write 2026-05-01"),
        ("as_of", "14d", "lead_time: as_of='14d' is not a time; time '14d' counts back from as_of"),
        ("since", "", "lead_time: since='' is not a time"),
        ("since", "99999999999d", "lead_time: since='99999999999d' is not a time; it lies outside"),
        ("since", 14, "lead_time: since=14 is not text"),
        ("samples", "many", "lead_time: samples='many' is not a whole number; write 2000"),
        ("samples", True, "lead_time: samples=True is not a whole number"),
        ("confidence", "nan", "lead_time: confidence='nan' is not a finite number"),
        ("with_open", "maybe", "lead_time: with_open='maybe' is not true or false"),
        ("environment", 7, "lead_time: environment=7 is not text; quote it"),
        ("environment", None, "lead_time: environment=None is not text"),
    ],
)
def test_a_value_of_another_type_is_refused(name, value, message):
    with pytest.raises(ParameterError) as refusal:
        check(ALL, {name: value}, report="lead_time")

    assert str(refusal.value).startswith(message)


def test_a_hostile_name_or_value_is_shown_escaped():
    with pytest.raises(ParameterError) as name:
        check([SINCE], {"\x1b[31m\nsince": "14d"}, report="lead_time")
    with pytest.raises(ParameterError) as value:
        check([SINCE], {"since": "\x1b[31m\n"}, report="lead_time")

    assert (str(name.value) + str(value.value)).isprintable()


DECLARING = 'since: "Time" = "14d"  # first instant, UTC\nsamples: int = 2000  # how often'


def ran(*cells: str, **values: Any) -> dict[str, Any]:
    return {"In": ["", *cells], **values}


def test_a_notebook_confirms_the_values_it_has():
    assert confirm(ran(DECLARING, "# Parameters\nsince = '7d'\n", since="7d", samples=2000)) == {
        "since": "7d",
        "samples": 2000,
    }


def test_a_notebook_refuses_what_papermill_injected_and_it_does_not_take():
    with pytest.raises(ParameterError, match=r"^this notebook does not take sinse; .*did you mean since\?"):
        confirm(ran(DECLARING, "# Parameters\nsinse = '7d'\n", since="14d", samples=2000, sinse="7d"))


def test_a_notebook_refuses_a_value_of_another_type():
    with pytest.raises(ParameterError, match=r"^this notebook: samples='2000x' is not a whole number"):
        confirm(ran(DECLARING, since="14d", samples="2000x"))


def test_other_names_of_a_notebook_are_no_parameters():
    cells = (DECLARING, "%load_ext autoreload", "x = 1")

    assert list(confirm(ran(*cells, since="14d", samples=1, x=1, window=None))) == ["since", "samples"]


def test_a_notebook_whose_parameters_did_not_run_is_told_so():
    with pytest.raises(ParameterError, match="its parameters cell has not run"):
        confirm(ran("x = 1", x=1))
