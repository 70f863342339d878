"""What is read of each table of the application's database, and how a live table is read as such.

Tables grew by migrations, and both of their runners skip files, so a column may lack in a live database of
any age: it is NULL then, and coverage says so. A column of another type is refused, since nobody knows what
it means now. Columns that are not known here land as JSON.

Source: workflow-builder, drizzle `schema.ts` and its migrations up to 0112.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from gitopslab.datasets import Dataset, postgres
from gitopslab.datasets.dataset import TIME
from gitopslab.datasets.postgres import OWN_COLUMNS
from gitopslab.errors import SourceError
from gitopslab.extract.postgres.connection import identifier, literal

_FIRST_TO_HASH_RECORDS = 140_000

# Arrow has no infinity, and what is beyond its range would come as some other time.
_CALENDAR = "BETWEEN '0001-01-01' AND '9999-12-31'"


@dataclass(frozen=True)
class Kind:
    """What a column holds: the types that hold just that, the usual one first, and the SQL to read it."""

    types: tuple[str, ...]
    sql: str = "{0}"


TEXT = Kind(("text", "character varying", "character", "uuid", "USER-DEFINED"), "{0}::text")
JSON = Kind(("jsonb", "json"), "{0}::text")
ZONELESS = Kind(("timestamp without time zone", "timestamp with time zone"), "{0}::timestamp")
KINDS = {
    pa.string(): TEXT,
    TIME: ZONELESS,
    pa.bool_(): Kind(("boolean",)),
    pa.int64(): Kind(("integer", "bigint", "smallint"), "{0}::bigint"),
    pa.float64(): Kind(
        ("double precision", "real", "numeric", "integer", "bigint", "smallint"), "{0}::float8"
    ),
}


@dataclass(frozen=True)
class Column:
    """Where a landed column comes from: a column of the source, what it holds, and SQL over it.

    Attributes:
        source: The column of the source.
        kind: What that holds.
        sql: How Postgres makes the landed value of it.
        copied_sql: How DuckDB does, of the text that COPY writes; empty where the kind says how.
    """

    source: str
    kind: Kind
    sql: str
    copied_sql: str = ""


@dataclass(frozen=True)
class SourceTable:
    """A table of the application's database.

    Attributes:
        name: Its name there.
        dataset: Where its rows land.
        migration: The one that made it; empty where nobody knows.
        added: Columns that came later, and the migration of each.
        derived: Landed columns that are no column of the source as it is.
        left_out: Columns that are known and not landed, since they are secret or people's.
        condition: SQL that rows fulfil which land.
        changed_by: For a log, which is too long to be compared whole at each run, the column that says when
            a row was last written.
    """

    name: str
    dataset: Dataset
    migration: str = ""
    added: Mapping[str, str] = field(default_factory=dict)
    derived: Mapping[str, Column] = field(default_factory=dict)
    left_out: frozenset[str] = frozenset()
    condition: str = ""
    changed_by: str = ""

    @property
    def key(self) -> str:
        """The column that tells rows apart."""
        return self.dataset.grain[1]

    @property
    def columns(self) -> dict[str, Column]:
        """Every landed column that comes from the source."""
        return {
            each.name: self.derived.get(each.name) or self._plain(each)
            for each in self.dataset.schema
            if each.name not in OWN_COLUMNS
        }

    def _plain(self, landed: pa.Field) -> Column:
        kind = JSON if landed.name in self.dataset.json_columns else KINDS[landed.type]
        return Column(landed.name, kind, kind.sql)


@dataclass(frozen=True)
class LiveTable:
    """A table as it is in one database.

    Attributes:
        table: What it is.
        types: Its columns there, and the type of each.
        unknown: Those of them that are not known here.
        missing: Columns that it should have and has not.
        row_hash: SQL that differs, but for one time in 2^64, when anything that lands does.
    """

    table: SourceTable
    types: Mapping[str, str]
    unknown: tuple[str, ...]
    missing: tuple[str, ...]
    row_hash: str

    @property
    def has_odd_time(self) -> str:
        """SQL: whether a row has a time outside the calendar, such as `infinity`."""
        return " OR ".join(_is_odd(name) for name in self._times) or "false"

    def versions(self, *, with_odd_times: bool) -> str:
        """Return the SELECT list of everything that lands.

        Args:
            with_odd_times: Whether a row may have a time outside the calendar; it costs to look.
        """
        landed = [
            f"{self._sql(column, is_guarded=with_odd_times)} AS {identifier(name)}"
            for name, column in self.table.columns.items()
        ]
        others = [f"{_of(name)} AS {identifier(name)}" for name in self.unknown]
        if with_odd_times:
            others += [
                f"CASE WHEN {_is_odd(name)} THEN {_of(name)}::text END AS {identifier(name)}"
                for name in self._times
            ]
        json = (
            "(SELECT nullif(jsonb_strip_nulls(to_jsonb(other)), '{}')::text"
            f" FROM (SELECT {', '.join(others)}) AS other)"
        )
        landed += [f"{json if others else 'NULL::text'} AS other_columns", f"{self.row_hash} AS row_hash"]
        return ", ".join(landed)

    def select(self, columns: str, *conditions: str) -> str:
        """Return the SELECT of `columns` of the rows that fulfil `conditions`; the table is `t` in both."""
        held = " AND ".join(filter(None, (self.table.condition, *conditions))) or "true"
        return f"SELECT {columns} FROM {identifier(self.table.name)} AS t WHERE {held}"

    def __str__(self) -> str:
        added = self.table.added
        missing = [f"{each} (migration {added[each]})" if each in added else each for each in self.missing]
        parts = {"not in this database": missing, "unknown, kept in other_columns": self.unknown}
        return "; ".join(f"{what}: {', '.join(names)}" for what, names in parts.items() if names)

    @property
    def _times(self) -> list[str]:
        columns = self.table.columns.values()
        return [each.source for each in columns if each.kind is ZONELESS and each.source in self.types]

    def _sql(self, column: Column, *, is_guarded: bool) -> str:
        if column.source not in self.types:
            return "NULL"
        value = column.sql.format(_of(column.source))
        is_time = is_guarded and column.kind is ZONELESS
        return f"CASE WHEN NOT ({_is_odd(column.source)}) THEN {value} END" if is_time else value


def live(table: SourceTable, types: Mapping[str, str], *, database: str, server_version: int) -> LiveTable:
    """Return how `table` is read in a database where its columns have these types.

    Raises:
        SourceError: A column has a type that it should not have, or the key lacks.
    """
    kinds = {column.source: column.kind for column in table.columns.values()}
    if table.key not in types:
        raise SourceError(f"{database}: {table.name}: no column {table.key}, which tells its rows apart")
    for name, kind in kinds.items():
        if types.get(name, kind.types[0]) not in kind.types:
            raise SourceError(
                f"{database}: {table.name}.{name}: its type is {types[name]}, and should be {kind.types[0]}"
            )
    unknown = tuple(name for name in types if name not in kinds.keys() | table.left_out)
    hashed = [_hashable(name, types[name]) for name in (*kinds, *unknown) if name in types]
    record = f"ROW({', '.join(hashed)})"
    is_old = server_version < _FIRST_TO_HASH_RECORDS
    return LiveTable(
        table,
        types,
        unknown,
        missing=tuple(name for name in kinds if name not in types),
        row_hash=f"hashtextextended({record}::text, 0)" if is_old else f"hash_record_extended({record}, 0)",
    )


def _of(name: str) -> str:
    return f"t.{identifier(name)}"


def _hashable(name: str, data_type: str) -> str:
    """Return a column as the server can hash it: json, for one, has no hash."""
    is_known = any(data_type in kind.types for kind in KINDS.values()) or data_type == "jsonb"
    return _of(name) if is_known else f"{_of(name)}::text"


def _is_odd(name: str) -> str:
    return f"{_of(name)} NOT {_CALENDAR}"


def _measured(*names: str) -> dict[str, Column]:
    """Return the columns that stand for texts which are too large or too private to keep."""
    sha256 = "encode(sha256(convert_to({0}, 'UTF8')), 'hex')"
    return {
        f"{name}_{what}": Column(name, TEXT, sql, copied_sql)
        for name in names
        for what, sql, copied_sql in (
            ("bytes", "octet_length({0})", "strlen({0})"),
            ("sha256", sha256, "sha256({0})"),
        )
    }


def _listed(values: tuple[str, ...]) -> str:
    return f"({', '.join(map(literal, values))})"


def _by_migration(**columns: str) -> dict[str, str]:
    """Return column → migration from migration → columns."""
    return {
        column: migration.removeprefix("m")
        for migration, names in columns.items()
        for column in names.split()
    }


_MEASURING_EVENTS = (
    "session.turn_started",
    "session.turn_heartbeat",
    "session.status_terminated",
    "session.status_errored",
    "agent.iteration",
    "llm_start",
    "agent.llm_usage",
    "tool_activity.scheduled",
    "tool_activity.started",
    "agent.circuit_breaker_tripped",
    "agent.context_usage",
)
_SPEAKING_EVENTS = ("agent.message", "agent.tool_use", "agent.tool_result", "user.message")

_MEASURING_DATA = f"CASE WHEN t.type IN {_listed(_MEASURING_EVENTS)} THEN {{0}}::text END"

_WITHOUT_TEST_PATCH = (
    "CASE WHEN jsonb_typeof({0}::jsonb) = 'object' THEN ({0}::jsonb - 'test_patch')::text ELSE {0}::text END"
)

SESSION_EVENTS = SourceTable(
    "session_events",
    postgres.SESSION_EVENTS,
    derived={
        "data": Column("data", JSON, _MEASURING_DATA, _MEASURING_DATA),
        "data_bytes": Column("data", JSON, "octet_length({0}::text)", "strlen({0})"),
    },
    condition=f"t.type IN {_listed(_MEASURING_EVENTS + _SPEAKING_EVENTS)}",
    changed_by="created_at",
)
"""Read only where the settings ask for it: it is far larger than everything else."""

TABLES = (
    SourceTable("benchmark_suites", postgres.BENCHMARK_SUITES, "0046"),
    SourceTable(
        "benchmark_instances",
        postgres.BENCHMARK_INSTANCES,
        "0046",
        added=_by_migration(m0056="mlflow_dataset_id mlflow_dataset_record_id"),
        derived=_measured("problem_statement", "hints_text", "gold_patch")
        | {"test_metadata": Column("test_metadata", JSON, _WITHOUT_TEST_PATCH, "without_test_patch({0})")},
    ),
    SourceTable(
        "benchmark_runs",
        postgres.BENCHMARK_RUNS,
        "0046",
        added=_by_migration(
            m0053="tags",
            m0056="mlflow_experiment_id mlflow_run_id mlflow_dataset_id mlflow_eval_run_id",
            m0062="evaluation_concurrency",
        ),
    ),
    SourceTable(
        "benchmark_run_instances",
        postgres.BENCHMARK_RUN_INSTANCES,
        "0046",
        added=_by_migration(
            m0049="inference_status evaluation_status",
            m0050="inference_environment",
            m0054="patch_added_lines patch_removed_lines patch_files_touched patch_files_overlap_gold"
            " patch_well_formed",
            m0055="turn_count tool_call_count termination_reason ttft_first_ms ttft_first_tool_ms"
            " tool_histogram",
            m0056="mlflow_run_id mlflow_trace_id mlflow_dataset_id mlflow_dataset_record_id",
        ),
        derived=_measured("model_patch"),
    ),
    SourceTable("benchmark_resource_leases", postgres.BENCHMARK_RESOURCE_LEASES, "0063"),
    SourceTable("benchmark_run_instance_scores", postgres.BENCHMARK_RUN_INSTANCE_SCORES, "0057"),
    SourceTable("benchmark_run_instance_annotations", postgres.BENCHMARK_RUN_INSTANCE_ANNOTATIONS, "0059"),
    SourceTable("environment_image_builds", postgres.ENVIRONMENT_IMAGE_BUILDS, "0051"),
    SourceTable("environment_build_activity_events", postgres.ENVIRONMENT_BUILD_ACTIVITY_EVENTS, "0052"),
    SourceTable("evaluation_runs", postgres.EVALUATION_RUNS, "0047"),
    SourceTable(
        "evaluation_run_items",
        postgres.EVALUATION_RUN_ITEMS,
        "0047",
        left_out=frozenset({"input", "expected_output", "generated_output"}),
    ),
    SourceTable(
        "sessions",
        postgres.SESSIONS,
        added=_by_migration(m0095="last_event_at"),
        left_out=frozenset({"title", "vault_ids", "pending_input", "runtime_host_launch_spec"}),
    ),
    SESSION_EVENTS,
    SourceTable("gitops_activity_events", postgres.GITOPS_ACTIVITY_EVENTS, "0077", changed_by="updated_at"),
)
"""Every table that is read, where it is there."""
