"""Quantities and durations: Python and SQL read the same values, and both refuse the same texts."""

import json
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitopslab.errors import UsageError
from gitopslab.quantity import parse_quantity

ROOT = Path(__file__).parents[1]
ORACLE = ROOT.parent / "shared" / "data" / "oracles" / "quantity_oracle.json"

VALUES = [
    ("0", "0"),
    ("2", "2"),
    ("+2", "2"),
    ("-2", "-2"),
    ("250m", "0.25"),
    ("1.5", "1.5"),
    ("5.", "5"),
    (".5", "0.5"),
    ("007", "7"),
    ("3u", "0.000003"),
    ("3n", "0.000000003"),
    ("9262144k", "9262144000"),
    ("500M", "500000000"),
    ("1.5Gi", "1610612736"),
    (".5Ki", "512"),
    ("-1Ki", "-1024"),
    ("1e3", "1000"),
    ("12E-1", "1.2"),
    ("1e+003", "1000"),
    ("12E", "12000000000000000000"),
    ("0e999", "0"),
    ("0.1n", "0.000000001"),
    ("-0.1n", "-0.000000001"),
    ("1e-999", "0.000000001"),
    ("1.0000000001", "1.000000001"),
    ("0.00000000000000000001Ei", "0.011529216"),
    ("8Ei", "9223372036854775807"),
    ("-8Ei", "-9223372036854775807"),
    ("9223372036854775807.5Ki", "9223372036854775807"),
    ("99999999999999999999999999999.999999999", "99999999999999999999999999999.999999999"),
]
UNREADABLE = [
    "",
    " ",
    "1 ",
    "1\n",
    "-",
    ".",
    "Ki",
    "1K",
    "1ki",
    "1e",
    "1e1.5",
    "1.1.M",
    "--1",
    "1,5",
    "\u00bd",
    "\u0661",
    "NaN",
]
TOO_LARGE = ["1e29", "1e999", "99999999999999999999999999999.9999999999", "100000000000E"]

DURATIONS = [
    ("0", 0),
    ("0s", 0),
    ("5m0s", 300),
    ("1h30m", 5400),
    ("1.5h", 5400),
    ("300ms", 0.3),
    ("1m5.3s", 65.3),
    (".5s", 0.5),
    ("1.s", 1),
    ("2us", 0.000002),
    ("2µs", 0.000002),
    ("2μs", 0.000002),
    ("7ns", 0.000000007),
    ("-1m30s", -90),
    ("+1s", 1),
    ("1s1h1s", 3602),
    ("2562047h", 9223369200),
]
NO_DURATIONS = [
    "",
    "1",
    "-",
    "s",
    ".s",
    "1d",
    "1H",
    "1 s",
    "1h 30m",
    "1..5s",
    "1s\n",
    "3000000h",
    "9" * 400 + "s",
]

NUMBERS = st.from_regex(
    r"[+-]?([0-9]{1,30}(\.[0-9]{0,21})?|\.[0-9]{1,21})", fullmatch=True, alphabet="+-.0123456789"
)
SUFFIXES = st.sampled_from(
    ["", *"numkMGTPE", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "e", "E+", "i", "mi"]
) | st.integers(-60, 60).map("e{}".format)


@pytest.fixture(scope="module")
def warehouse():
    with duckdb.connect() as connection:
        connection.execute((ROOT / "queries" / "macros.sql").read_text(encoding="utf-8"))
        yield connection


def in_sql(warehouse: duckdb.DuckDBPyConnection, macro: str, texts: Iterable[str]) -> list:
    rows = warehouse.execute(
        f"SELECT {macro}(text) FROM unnest($texts) WITH ORDINALITY AS _(text, n) ORDER BY n",
        {"texts": list(texts)},
    ).fetchall()
    return [value for (value,) in rows]


def in_python(text: str) -> Decimal | None:
    try:
        return parse_quantity(text)
    except UsageError:
        return None


@pytest.mark.parametrize(("text", "value"), VALUES)
def test_a_quantity_has_its_exact_value(text, value):
    assert parse_quantity(text) == Decimal(value)


def test_sql_reads_the_same_values(warehouse):
    assert in_sql(warehouse, "quantity", [text for text, _ in VALUES]) == [
        Decimal(value) for _, value in VALUES
    ]


@pytest.mark.parametrize("text", UNREADABLE)
def test_what_is_no_quantity_is_refused_by_name(text):
    with pytest.raises(UsageError, match=r"^quantity '.*': not a quantity; write a number such as"):
        parse_quantity(text)


@pytest.mark.parametrize("text", TOO_LARGE)
def test_what_no_column_holds_is_refused(text):
    with pytest.raises(UsageError, match="too large"):
        parse_quantity(text)


def test_an_integer_is_a_quantity_within_the_same_limit():
    assert parse_quantity(8) == 8
    with pytest.raises(UsageError, match="too large"):
        parse_quantity(10**5000)


def test_sql_has_null_for_what_it_cannot_read(warehouse):
    texts = [*UNREADABLE, *TOO_LARGE]
    assert in_sql(warehouse, "quantity", texts) == [None] * len(texts)


def test_sql_gives_a_decimal_and_takes_null_and_integers(warehouse):
    row = warehouse.execute("SELECT typeof(quantity('1')), quantity(NULL), quantity(8)").fetchone()
    assert row == ("DECIMAL(38,9)", None, Decimal(8))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.builds(str.__add__, NUMBERS, SUFFIXES), min_size=50, max_size=200))
def test_python_and_sql_agree_on_any_text(warehouse, texts):
    assert in_sql(warehouse, "quantity", texts) == [in_python(text) for text in texts]


def test_kubernetes_own_table_holds_in_both(warehouse):
    if not ORACLE.exists():
        pytest.skip("the table of apimachinery's own tests is not part of the repository")
    oracle = json.loads(ORACLE.read_text(encoding="utf-8"))
    texts = [case["input"] for case in oracle["valid"]] + oracle["invalid"]
    values = [Decimal(case["decimal"]) for case in oracle["valid"]] + [None] * len(oracle["invalid"])

    assert [in_python(text) for text in texts] == values
    assert in_sql(warehouse, "quantity", texts) == values


def test_a_duration_is_its_seconds(warehouse):
    texts = [text for text, _ in DURATIONS]
    assert in_sql(warehouse, "go_duration_seconds", texts) == pytest.approx([value for _, value in DURATIONS])


def test_what_go_refuses_as_a_duration_is_null(warehouse):
    assert in_sql(warehouse, "go_duration_seconds", NO_DURATIONS) == [None] * len(NO_DURATIONS)
