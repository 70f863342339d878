"""What pg_dump wrote lands as the database itself does; what is broken in it is kept as a reject."""

import gzip
import json
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import zstandard

from gitopslab import cli
from gitopslab.datasets import COVERAGE, REJECTS, Dataset
from gitopslab.datasets import postgres as datasets
from gitopslab.errors import SourceError, UsageError
from gitopslab.extract import postgres
from gitopslab.extract.pages import Limits
from gitopslab.extract.postgres import dump
from gitopslab.extract.rows import RowLanding
from gitopslab.extract.run import Origin, Tally
from gitopslab.lake import Lake
from gitopslab.world.platform import generate
from tests import postgres_server
from tests.postgres_server import PostgresServer

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
OWN = ("snapshot_at", "row_hash")  # when it was seen, and what only a server can make
SCORES = datasets.BENCHMARK_RUN_INSTANCE_SCORES

CREATE = """
CREATE TABLE public.benchmark_run_instance_scores (
    id text DEFAULT 'a, (b'::text NOT NULL,
    run_instance_id character varying(255) NOT NULL,
    scorer_name text NOT NULL,
    scorer_version integer,
    score double precision,
    reasoning text,
    metadata jsonb DEFAULT '{}'::jsonb,
    created_at timestamp(3) without time zone,
    updated_at timestamp with time zone,
    CONSTRAINT positive CHECK ((scorer_version > 0))
);
"""
COLUMNS = (
    "id, run_instance_id, scorer_name, scorer_version, score, reasoning, metadata, created_at, updated_at"
)
AT = "2026-03-02 12:00:00\t2026-03-02 17:30:00+05:30"


def score(key: str, *, version: str = "1", score: str = "0.5", said: str = r"\N", at: str = AT) -> str:
    return f"{key}\ti\tjudge\t{version}\t{score}\t{said}\t{{}}\t{at}\n"


def dumped(*rows: str, end: str = "\\.\n", create: str = CREATE) -> bytes:
    """Return a dump of scores."""
    text = (
        f"{create}\nCOPY public.benchmark_run_instance_scores ({COLUMNS}) FROM stdin;\n{''.join(rows)}{end}"
    )
    return text.encode()


ODD = r"""
INSERT INTO benchmark_run_instance_scores VALUES
    ('plain', 'i', 's', 1, 0.1, 'one', '{}', '2026-03-02 12:00:00.123', '2026-03-02 12:00:00+02'),
    ('odd times', 'i', 's', 1, 'Infinity', NULL, NULL, 'infinity', '0044-03-15 12:00:00 BC'),
    ('later', 'i', 's', NULL, '-Infinity', '', '{"a": "\t\\"}', '12026-01-01', NULL),
    (E'\\ \t\n\r\b\f\v N \\N', 'i', E'\\.', 7, 1e300, E'\\n\n', 'null', '0001-01-01', NULL);
ALTER TABLE benchmark_run_instance_scores
    ADD "Odd, name" jsonb DEFAULT '{"z": 1, "é": [true]}', ADD b boolean, ADD n numeric DEFAULT 1.50;
UPDATE benchmark_run_instance_scores SET b = true WHERE id = 'plain';
"""


class Lab:
    """A lake, and a file that is a dump of a database."""

    def __init__(self, folder: Path) -> None:
        self.lake, self.file = Lake(str(folder / "lake")), folder / "dump.sql"

    def land(self, content: bytes, *, at: datetime = NOON, **reading: Any) -> Tally:
        self.file.write_bytes(content)
        with RowLanding(self.lake, Origin("dump", "benchmark", how=postgres.SYSTEM)) as landing:
            dump.land(self.file, landing, dump.Reading(at, **reading))
        return landing.tally

    def rows(self, dataset: Dataset, *columns: str) -> list[tuple[Any, ...]]:
        return sorted(
            (
                tuple(row.values())
                for part in self.lake.read(dataset, list(columns))
                for row in part.to_pylist()
            ),
            key=str,
        )

    def rejects(self) -> list[tuple[Any, ...]]:
        return self.rows(REJECTS, "source_line", "reason")


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres_server.running() as running:
        yield running


def extracted(server: PostgresServer, database: str, lake: Lake) -> None:
    with (
        RowLanding(lake, Origin("postgres", "benchmark", how=postgres.SYSTEM)) as landing,
        postgres.Snapshot(
            "benchmark", f"postgresql://postgres@/{database}?host={server.folder}", variable="DSN"
        ) as snapshot,
    ):
        postgres.land(snapshot, landing, postgres.Reading(timedelta(0)), with_session_events=True)


def pg_dump(server: PostgresServer, database: str) -> bytes:
    command = ["pg_dump", "-h", str(server.folder), "-U", "postgres", database]
    zone = os.environ | {"PGTZ": "UTC"}  # in which it writes times that have one
    return subprocess.run(command, check=True, capture_output=True, env=zone).stdout


def contents(lake: Lake, *, is_parsed: bool) -> dict[str, list[Any]]:
    """Return the rows of every table, without what only one way of reading knows."""
    found = {}
    for dataset in datasets.DATASETS:
        columns = [name for name in dataset.schema.names if name not in OWN]
        rows = [row for part in lake.read(dataset, columns) for row in part.to_pylist()]
        for row in rows if is_parsed else []:
            row.update({name: json.loads(row[name] or "null") for name in dataset.json_columns})
        found[dataset.name] = sorted(rows, key=lambda row: row[dataset.grain[1]])
    return found


@pytest.mark.slow
@pytest.mark.parametrize("written_by", ["world", "pg_dump"])
def test_a_dump_lands_the_rows_that_the_live_database_does(lab, server, tmp_path, written_by):
    generate(7, 2, "small", tmp_path / "world")
    file = tmp_path / "world/postgres.sql"
    server.run("-c", f"CREATE DATABASE of_{written_by}", database="postgres")
    server.run("-f", str(file), database=f"of_{written_by}")
    live = Lake(str(tmp_path / "live"))
    extracted(server, f"of_{written_by}", live)

    tally = lab.land(file.read_bytes() if written_by == "world" else pg_dump(server, "of_pg_dump"))

    # the world writes its JSON without the blanks that a server puts there
    expected = contents(live, is_parsed=written_by == "world")
    assert contents(lab.lake, is_parsed=written_by == "world") == expected
    assert tally.reject_count == 0
    assert sum(map(len, expected.values())) == tally.landed_count > 500


@pytest.mark.slow
def test_odd_values_land_as_they_do_from_the_live_database(lab, server, tmp_path):
    server.run("-c", "CREATE DATABASE odd", database="postgres")
    server.run("-c", CREATE.replace("CREATE TABLE", "CREATE UNLOGGED TABLE") + ODD, database="odd")
    live = Lake(str(tmp_path / "live"))
    extracted(server, "odd", live)

    tally = lab.land(pg_dump(server, "odd"))

    assert tally.reject_count == 0
    assert contents(lab.lake, is_parsed=False) == contents(live, is_parsed=False)


@pytest.mark.parametrize("packed", [bytes, gzip.compress, zstandard.ZstdCompressor().compress])
def test_values_are_typed_unescaped_and_in_utc(lab, packed):
    lab.land(packed(dumped(score("one", said=r"a\tb\\n\nc"))))

    assert lab.rows(SCORES, "id", "scorer_version", "score", "reasoning") == [("one", 1, 0.5, "a\tb\\n\nc")]
    assert lab.rows(SCORES, "created_at", "updated_at") == [(NOON, NOON)]


def test_a_row_lands_again_only_when_it_differs_and_is_noted_when_it_is_gone(lab):
    lab.land(dumped(score("same"), score("gone"), score("other")))
    lab.land(dumped(score("same"), score("other", version="2")), at=NOON + timedelta(hours=1))
    tally = lab.land(dumped(score("same"), score("other", version="2")), at=NOON + timedelta(hours=1))

    assert tally.landed_count == 0
    assert lab.rows(SCORES, "id", "scorer_version", "is_deleted") == [
        ("gone", 1, False),
        ("gone", None, True),
        ("other", 1, False),
        ("other", 2, False),
        ("same", 1, False),
    ]


def test_a_dump_from_before_what_landed_is_refused(lab):
    lab.land(dumped(score("one")))

    with pytest.raises(SourceError, match="in order of time"):
        lab.land(dumped(score("two")), at=NOON - timedelta(days=1))


def test_what_is_no_row_is_a_reject_with_its_line_and_the_rest_lands(lab):
    rows = (
        score("good"),
        "short\ti\n",
        score("number", version="1.5"),
        score("time", at="yesterday\t\\N"),
        score("escape", said=r"\x41"),
        score("good"),
        score("nul\0"),
        score("last"),
    )
    content = dumped(*rows).replace(b"nul\0", b"\xff\xfe")

    lab.land(content)

    first = content[: content.index(b"good")].count(b"\n") + 1
    assert lab.rows(SCORES, "id") == [("good",), ("last",)]
    assert lab.rejects() == sorted(
        [
            (first + 1, "invalid_row"),
            (first + 2, "invalid_value"),
            (first + 3, "invalid_value"),
            (first + 4, "invalid_row"),
            (first + 5, "duplicate_key"),
            (first + 6, "invalid_encoding"),
        ],
        key=str,
    )


def test_nothing_is_called_gone_where_rows_could_not_be_read(lab):
    lab.land(dumped(score("one"), score("two")))
    lab.land(dumped(score("one"), end=""), at=NOON + timedelta(hours=1))
    lab.land(dumped(score("one"), "broken\n"), at=NOON + timedelta(hours=2))

    assert lab.rows(SCORES, "id", "is_deleted") == [("one", False), ("two", False)]
    assert {reason for _, reason in lab.rejects()} == {"no_end", "invalid_row"}


def test_a_line_without_end_is_passed_over(lab):
    content = dumped(score("one"), score("long", said="x" * (9 << 20)), score("two"))

    tally = lab.land(content, limits=Limits(max_document_bytes=1 << 20))

    assert lab.rows(SCORES, "id") == [("one",), ("two",)]
    assert tally.rejects == {"too_large": 1}


def test_an_excerpt_holds_no_column_that_does_not_land(lab):
    create = "CREATE TABLE sessions (id text, status text, title text, agent_version integer);"
    copy = "COPY sessions (id, status, title, agent_version) FROM stdin;"
    lab.land(f"{create}\n{copy}\ns\tidle\tmy secret plan\tx\nshort\tmy secret plan\n\\.\n".encode())

    excerpts = [excerpt for (excerpt,) in lab.rows(REJECTS, "excerpt")]
    assert len(excerpts) == 2
    assert "plan" not in "".join(excerpts)
    assert "idle" in "".join(excerpts)


def test_a_column_of_another_type_is_refused_and_other_tables_land(lab):
    other = b"CREATE TABLE sessions (id integer);\nCOPY sessions (id) FROM stdin;\n1\n\\.\n"

    with pytest.raises(SourceError, match=r"sessions\.id: its type is integer, and should be text"):
        lab.land(other + dumped(score("one")))

    assert lab.rows(SCORES, "id") == [("one",)]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"INSERT INTO public.benchmark_runs VALUES ('r');\n", "without --inserts"),
        (b"PGDMP\x01\x0e", "pg_restore --file"),
        (b"SET client_encoding = 'LATIN1';\n", "--encoding=UTF8"),
        (b"hello\n", "no rows of a known table"),
        (b"", "no rows of a known table"),
    ],
)
def test_what_is_no_dump_with_rows_is_refused_with_what_to_do(lab, content, said):
    with pytest.raises(UsageError, match=said):
        lab.land(content)


def test_sql_that_speaks_of_copies_is_none(lab):
    tricks = """
        CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $x$
        COPY benchmark_run_instance_scores (id) FROM stdin;
        $x$;
        COMMENT ON TABLE t IS 'it''s;
        INSERT INTO benchmark_runs VALUES (1);';
        -- INSERT INTO benchmark_runs VALUES (1);
        /* COPY benchmark_runs (id) FROM stdin;
        */ SELECT 1;
    """
    unknown = "CREATE TABLE other (a text);\nCOPY other (a) FROM stdin;\nINSERT INTO benchmark_runs;\n\\.\n"

    lab.land((tricks + unknown).encode() + dumped(score("one")))

    assert lab.rows(SCORES, "id") == [("one",)]


def test_coverage_says_that_it_was_a_file(lab):
    lab.land(dumped(score("one")))

    columns = ("api_group", "resource", "state", "until", "object_count")
    expected = ("postgres", "benchmark_run_instance_scores", "file", NOON, 1)
    assert lab.rows(COVERAGE, *columns) == [expected]


def test_the_command_lands_a_dump_and_says_what_came_of_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("dump.sql").write_bytes(dumped(score("one"), "broken\n"))

    cli.app(["land", "dump", "dump.sql", "--database", "lab", "--dry-run"], standalone_mode=False)
    assert capsys.readouterr().out == "would read dump.sql as database lab\n"

    cli.app(["land", "dump", "dump.sql", "--database", "lab"], standalone_mode=False)
    said = capsys.readouterr().out.splitlines()[-1]
    assert said == (
        "database lab: 1 row versions landed, 0 statements passed over,"
        " 1 pieces rejected (see the table `reject`)"
    )
