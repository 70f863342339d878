"""Typing: parsed JSON into rows and columns that are kept, and every value lost on the way counted.

A `parsed` query turns JSON text into a struct, once; `typed` queries turn structs into rows. Both
forgive: a value that does not fit becomes NULL. What the two functions below add finds those
values again, from the SQL itself, so that no query can forget to.
"""

import json
import re
from functools import cache
from typing import Any

import sqlglot
from sqlglot import exp

from gitopslab.errors import QueryError
from gitopslab.queries import Query

CASTING_MACROS = frozenset({"QUANTITY", "GO_DURATION_SECONDS"})
"""Macros of queries/macros.sql that, like TRY_CAST, return NULL for what they cannot read."""

_EXCERPT_LENGTH = 200
_CARRIED = (
    "cluster, cluster_uid, api_version, namespace, name, uid, resource_version, event_type, observed_at"
)


def parsed_with_shape(query: Query) -> str:
    """Return the parsed query with what typed queries may use, and with the list `misshapen` of paths.

    A path is misshapen where the JSON holds something else than the structure says: a list where an
    object belongs, and so on. Paths inside list elements are not looked at. The path
    `body` stands for a text that is no JSON.
    """
    containers = _containers(_structure(query))
    paths = ", ".join(f"'$.{path}'" for path, _ in containers)
    wrong = ", ".join(
        f"CASE WHEN shapes[{number}] NOT IN ('{json_type}', 'NULL') THEN '{path}' END"
        for number, (path, json_type) in enumerate(containers, 1)
    )
    misshapen = f"[CASE WHEN body IS NULL THEN 'body' END, {wrong}]"
    return (
        f"SELECT {_CARRIED}, object, list_filter({misshapen}, lambda path: path IS NOT NULL) AS misshapen\n"
        f"FROM (SELECT *, json_type(body, [{paths}]) AS shapes FROM (\n{query.sql}\n))"
    )


def resource(query: Query) -> str:
    """Return the resource that a parsed query takes from the lake.

    Raises:
        QueryError: Its SQL does not say.
    """
    found = re.search(r"\bresource = '(\w+)'", query.sql)
    if not found:
        raise QueryError(f"parsed/{query.name}.sql: no resource = '…' in its WHERE")
    return found[1]


@cache
def unreadable_values(query: Query) -> str | None:
    """Return SQL for the values that `query`, a typed one, could not cast; None if it casts nothing.

    Its columns are those of the table `unreadable_value`.

    Raises:
        QueryError: The query is not one plain SELECT with cluster_uid, uid and resource_version.
    """
    select = sqlglot.parse_one(query.sql, dialect="duckdb")
    if not isinstance(select, exp.Select) or select.args.get("group") or select.args.get("qualify"):
        raise QueryError(f"typed/{query.name}.sql: the outermost SELECT may not group, qualify or unite")
    columns = {column.alias_or_name: column for column in select.expressions}
    casts = [
        (name, cast)
        for name, column in columns.items()
        for cast in column.find_all(exp.TryCast, exp.Anonymous)
        if _casts(cast)
    ]
    if not casts:
        return None
    if missing := {"cluster_uid", "uid", "resource_version"} - columns.keys():
        raise QueryError(f"typed/{query.name}.sql: lacks {', '.join(sorted(missing))}")
    lost = [(name, _source(cast), cast.sql("duckdb")) for name, cast in casts]
    found = ", ".join(
        f"CASE WHEN {raw} IS NOT NULL AND {cast} IS NULL THEN"
        f" {{'column_name': '{name}', 'value': left(CAST({raw} AS VARCHAR), {_EXCERPT_LENGTH})}} END"
        for name, raw, cast in lost
    )
    any_lost = " OR ".join(f"({raw} IS NOT NULL AND {cast} IS NULL)" for _, raw, cast in lost)
    keys = [f"{_unaliased(columns[key])} AS {key}" for key in ("cluster_uid", "uid", "resource_version")]
    select = select.select(*keys, f"unnest([{found}]) AS lost", append=False, dialect="duckdb")
    select = select.where(any_lost, dialect="duckdb")
    return (
        f"SELECT '{query.name}' AS table_name, lost.column_name, cluster_uid, uid, resource_version,"
        " lost.value\n"
        f"FROM ({select.sql('duckdb')}) WHERE lost IS NOT NULL"
    )


def is_per_version(query: Query) -> bool:
    """Return whether a typed row belongs to one object version, so that no later version repeats it."""
    return {"cluster_uid", "uid", "resource_version"} <= set(query.grain)


def _casts(node: exp.Expression) -> bool:
    return isinstance(node, exp.TryCast) or str(node.this).upper() in CASTING_MACROS


def _source(cast: exp.Expression) -> str:
    value = cast.this if isinstance(cast, exp.TryCast) else cast.expressions[0]
    return str(value.sql("duckdb"))


def _unaliased(column: exp.Expression) -> str:
    return str((column.this if isinstance(column, exp.Alias) else column).sql("duckdb"))


def _structure(query: Query) -> dict[str, Any]:
    found = re.search(r"from_json\(\s*[\w.]*body\s*,\s*'(\{.*?\})'\s*\)", query.sql, re.DOTALL)
    if not found:
        raise QueryError(f"parsed/{query.name}.sql: no from_json(body, '{{…}}')")
    try:
        return json.loads(found[1])  # type: ignore[no-any-return]
    except json.JSONDecodeError as error:
        raise QueryError(f"parsed/{query.name}.sql: the structure is not JSON: {error}") from error


def _containers(structure: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return the path of each list and object of a structure, with the JSON type it should have."""
    found: list[tuple[str, str]] = []
    for key, value in structure.items():
        path = f"{prefix}{key}"
        if not re.fullmatch(r"[\w.]+", path):
            continue
        if isinstance(value, list):
            found.append((path, "ARRAY"))
        elif isinstance(value, dict):
            found += [(path, "OBJECT"), *_containers(value, f"{path}.")]
        elif value.startswith("MAP"):
            found.append((path, "OBJECT"))
    return found
