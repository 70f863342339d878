"""Every file of queries/ keeps its header's promises, and every case of tests/cases/ comes out."""

import tomllib
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlglot
from sqlglot import exp

from gitopslab import database, queries
from gitopslab.errors import QueryError
from gitopslab.warehouse import bookkeeping
from gitopslab.warehouse.schema import create_tables, decide
from gitopslab.world.capacity.ground_truth import WORKLOAD
from gitopslab.world.truth import CHANGE, CHANGE_ENVIRONMENT, PROMOTION

CASES = Path(__file__).parent / "cases"
CATALOG = queries.catalog()
FACTS = [q for q in CATALOG.values() if q.room == "facts"]
ASKED = [q for q in CATALOG.values() if q.room in ("facts", "marts", "checks")]


def cases() -> list[Any]:
    return [
        pytest.param(file.stem, case, id=f"{file.stem}: {case['name']}")
        for file in sorted(CASES.glob("*.toml"))
        for case in tomllib.loads(file.read_text())["case"]
    ]


@pytest.fixture(scope="module")
def template(tmp_path_factory: Any) -> Any:
    with database.read_write(tmp_path_factory.mktemp("template") / "warehouse.duckdb") as connection:
        create_tables(connection)
        decide(connection, lambda *_: None)
        for table in (CHANGE, CHANGE_ENVIRONMENT, PROMOTION, WORKLOAD):
            connection.register("empty", table.schema.empty_table())
            connection.execute(f"CREATE TABLE truth_{table.name} AS FROM empty")
        yield connection


@pytest.fixture
def empty(template: Any) -> Any:
    """Tables of a warehouse without a row; whatever a test inserts is rolled back."""
    template.execute("BEGIN")
    yield template
    template.execute("ROLLBACK")


@pytest.mark.parametrize("found", CATALOG.values(), ids=lambda q: q.name)
def test_header_agrees_with_its_sql(found):
    tree = sqlglot.parse_one(found.sql, dialect="duckdb")
    own = {cte.alias for cte in tree.find_all(exp.CTE)}
    tables = {table.name for table in tree.find_all(exp.Table) if table.name} - own

    assert set(found.reads) == tables
    assert set(found.params) == {p.name for p in tree.find_all(exp.Parameter, exp.Placeholder)}
    if "*" not in tree.named_selects:
        assert set(found.grain) <= set(tree.named_selects)


@pytest.mark.parametrize("found", CATALOG.values(), ids=lambda q: q.name)
def test_query_reads_only_from_rooms_below(found):
    below = {"parsed": {"object_versions"}, "typed": {"parsed"}, "facts": {"typed", "facts", "build"}}
    allowed = below.get(found.room, {"typed", "facts", "build", "marts"})
    read = [t for t in found.reads if not (found.room == "scores" and t.startswith("truth_"))]
    rooms = {CATALOG[t].room if t in CATALOG else ("build" if t in bookkeeping.TABLES else t) for t in read}

    assert rooms <= allowed


@pytest.mark.parametrize("found", ASKED, ids=lambda q: q.name)
def test_query_has_a_case(found):
    assert (CASES / f"{found.name}.toml").is_file()


@pytest.mark.parametrize(("name", "case"), cases())
def test_case(empty, name, case):
    found = queries.query(name)
    for table, rows in case.items():
        if table in ("name", "rows", "params"):
            continue
        for row in rows:
            columns, marks = ", ".join(f'"{c}"' for c in row), ", ".join("?" for _ in row)
            empty.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", list(row.values()))
    result = database.arrow(empty, found.sql, case.get("params")).to_pylist()

    named = sorted({column for row in case["rows"] for column in row})
    key = [c for c in found.grain if c in named] or named
    wanted = [{c: comparable(row.get(c)) for c in named} for row in case["rows"]]
    got = [{c: comparable(row[c]) for c in named} for row in result]
    order = lambda row: [str(row[c]) for c in key]  # noqa: E731 - one use, in the line below
    assert sorted(got, key=order) == sorted(wanted, key=order)


@pytest.mark.parametrize("found", ASKED, ids=lambda q: q.name)
def test_query_stays_in_the_portable_part(found):
    tree = sqlglot.parse_one(found.sql, dialect="duckdb")
    foreign = {
        "ASOF JOIN": any(
            j.args.get("side") == "ASOF" or "asof" in str(j.args.get("method")).lower()
            for j in tree.find_all(exp.Join)
        ),
        "PIVOT": bool(list(tree.find_all(exp.Pivot))),
        "quantile": bool(
            list(tree.find_all(exp.Quantile, exp.PercentileCont, exp.PercentileDisc, exp.ApproxQuantile))
        ),
        "list comprehension": bool(list(tree.find_all(exp.Comprehension))),
        "SELECT * REPLACE": any(star.args.get("replace") for star in tree.find_all(exp.Star)),
    }
    calls = {str(call.this).lower() for call in tree.find_all(exp.Anonymous)}

    assert not [name for name, is_there in foreign.items() if is_there]
    assert not calls & {"time_bucket", "from_json", "quantity", "go_duration_seconds", "columns"}
    assert sqlglot.transpile(
        found.sql, read="duckdb", write="spark", unsupported_level=sqlglot.ErrorLevel.RAISE
    )


def test_unknown_query_lists_the_known():
    with pytest.raises(QueryError, match=r"no query 'sincs'; there are: .*argocd_application"):
        queries.query("sincs")


def test_wrong_parameter_is_named():
    found = queries.Query("syncs_asked", "marts", "", "", (), (), ("since", "until"), "SELECT 1")

    with pytest.raises(QueryError, match=r"marts/syncs_asked\.sql takes since, until; it was given sinse"):
        found.accept({"sinse": 1})


def test_header_without_a_field_is_refused(tmp_path):
    with pytest.raises(QueryError, match=r"x\.sql: the header lacks reads"):
        queries.parse("-- Rows.\n--\n-- grain: a\n-- params:\n\nSELECT 1 AS a\n", tmp_path / "x.sql")


def test_two_queries_of_one_name_are_refused(tmp_path):
    for room in ("typed", "facts"):
        (tmp_path / room).mkdir()
        (tmp_path / room / "same.sql").write_text(
            "-- Rows.\n--\n-- grain: a\n-- reads:\n-- params:\n\nSELECT 1 AS a\n"
        )

    with pytest.raises(QueryError, match=r"same\.sql: typed/ holds a query of that name too"):
        queries.catalog(tmp_path)


def test_queries_come_after_those_they_read(tmp_path):
    (tmp_path / "facts").mkdir()
    for name, reads in {"a": "b", "b": ""}.items():
        (tmp_path / "facts" / f"{name}.sql").write_text(
            f"-- Rows.\n--\n-- grain: x\n-- reads: {reads}\n-- params:\n\nSELECT 1 AS x\n"
        )

    assert [q.name for q in queries.room("facts", tmp_path)] == ["b", "a"]


def comparable(value: Any) -> Any:
    """Return `value` as TOML can write it: times as datetime, exact numbers as themselves."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime):
        return value.astimezone(tz=None).timestamp()
    if isinstance(value, list):
        return [comparable(item) for item in value]
    return value
