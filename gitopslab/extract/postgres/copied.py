"""What lands of a row of a dump, as DuckDB makes it of text: the counterpart of `LiveTable.versions`.

A row lands the same whether Postgres or a dump brought it, but for its `row_hash`, since only a server can
make a server's hash; and for columns that are not known here: a dump's `other_columns` keep nulls within
JSON, and what is no JSON, number or boolean stands there as the text that Postgres prints.
"""

import json
from typing import NamedTuple

import msgspec
import pyarrow as pa

from gitopslab import database
from gitopslab.extract.postgres.connection import identifier, literal
from gitopslab.extract.postgres.copy_text import LINE
from gitopslab.extract.postgres.tables import JSON, KINDS, TEXT, ZONELESS, Column, Kind, LiveTable

_MOMENT = r"\d\d\d\d-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?"
_ZONE = r"[+-]\d\d(?::\d\d(?::\d\d)?)?"
_ODD_MOMENT = r"-?infinity|\d\d\d\d\d+-.*|.* BC"
_NUMBERS = {"integer", "bigint", "smallint", "numeric", "double precision", "real", "boolean"}
_AS_JSON = "CASE WHEN json_valid({0}) THEN {0} ELSE to_json({0})::VARCHAR END"


class _Form(NamedTuple):
    """How text of a kind is read: DuckDB SQL of its value, and of whether it is one."""

    value: str
    is_valid: str


_FORMS: dict[Kind, _Form] = {
    TEXT: _Form("{0}", "true"),
    JSON: _Form("{0}", "json_valid({0})"),
    KINDS[pa.bool_()]: _Form("{0} IN ('t', 'true')", "{0} IN ('t', 'f', 'true', 'false')"),
    KINDS[pa.int64()]: _Form(
        "TRY_CAST({0} AS BIGINT)",
        "regexp_full_match({0}, '-?[0-9]+') AND TRY_CAST({0} AS BIGINT) IS NOT NULL",
    ),
    KINDS[pa.float64()]: _Form("TRY_CAST({0} AS DOUBLE)", "TRY_CAST({0} AS DOUBLE) IS NOT NULL"),
}


def _moment(data_type: str) -> _Form:
    """Return how times of a type are read; DuckDB would pass over a zone that should not be there."""
    has_zone = data_type == "timestamp with time zone"
    shape = _MOMENT + _ZONE if has_zone else _MOMENT
    to = "TIMESTAMPTZ" if has_zone else "TIMESTAMP"
    value = f"CASE WHEN regexp_full_match({{0}}, '{shape}') THEN TRY_CAST({{0}} AS {to}) END"
    is_odd = f"regexp_full_match({{0}}, '{_ODD_MOMENT}')"
    return _Form(value, f"CASE WHEN {value} IS NOT NULL THEN true ELSE {is_odd} END")


_MOMENTS = {data_type: _moment(data_type) for data_type in ZONELESS.types}


def prepare(connection: database.Connection) -> None:
    """Give `connection` the function that the SQL below calls."""
    database.define(connection, "without_test_patch", _without_test_patch)


def select(live: LiveTable) -> str:
    """Return the SELECT of everything that lands of the rows of text in `t`.

    Beside the landed columns there are `LINE` and `wrong_column`, which names the first column whose text
    is no value of its type.
    """
    there = {name: each for name, each in live.table.columns.items() if each.source in live.types}
    landed = [f"{_value(column, live)} AS {identifier(name)}" for name, column in there.items()]
    forms = {column.source: _form(column, live) for column in there.values()}
    wrong = " ".join(
        f"WHEN {_of(name)} IS NOT NULL AND NOT ({form.is_valid.format(_of(name))}) THEN {literal(name)}"
        for name, form in forms.items()
        if form.is_valid != "true"
    )
    key = live.table.key
    columns = [
        *landed,
        f"{_others(live, forms)} AS other_columns",
        f"{_row_hash([*forms, *live.unknown])} AS row_hash",
        f"CASE WHEN {_of(key)} IS NULL THEN {literal(key)} {wrong} END AS wrong_column",
        f"{_of(LINE)} AS {identifier(LINE)}",
    ]
    return f"SELECT {', '.join(columns)} FROM t WHERE {live.table.condition or 'true'}"


def _of(name: str) -> str:
    return f"t.{identifier(name)}"


def _form(column: Column, live: LiveTable) -> _Form:
    return _MOMENTS[live.types[column.source]] if column.kind is ZONELESS else _FORMS[column.kind]


def _value(column: Column, live: LiveTable) -> str:
    return (column.copied_sql or _form(column, live).value).format(_of(column.source))


def _row_hash(names: list[str]) -> str:
    """Return SQL that differs, but for one time in 2^64, when a text does.

    Another version of DuckDB may hash otherwise, as another of Postgres may: rows land once more then.
    """
    return f"(hash({', '.join(map(_of, sorted(names)))})::HUGEINT - 9223372036854775808)::BIGINT"


def _others(live: LiveTable, forms: dict[str, _Form]) -> str:
    """Return SQL of the JSON of unknown columns, and of times outside the calendar, as jsonb has it."""
    members = {name: _member(live.types[name]) for name in live.unknown} | {
        name: f"CASE WHEN {form.value} IS NULL THEN to_json({{0}})::VARCHAR END"
        for name, form in forms.items()
        if form in _MOMENTS.values()
    }
    in_order = sorted(members, key=lambda name: (len(name.encode()), name.encode()))
    parts = [f"{literal(json.dumps(name) + ': ')} || {members[name].format(_of(name))}" for name in in_order]
    if not parts:
        return "NULL::VARCHAR"
    return f"'{{' || nullif(concat_ws(', ', {', '.join(parts)}), '') || '}}'"


def _member(data_type: str) -> str:
    match data_type:
        case "boolean":
            return "CASE WHEN {0} IN ('t', 'true') THEN 'true' WHEN {0} IS NOT NULL THEN 'false' END"
        case "json" | "jsonb":
            return f"CASE WHEN {{0}} <> 'null' THEN {_AS_JSON} END"
        case _ if data_type in _NUMBERS:
            return _AS_JSON
        case _ if data_type.startswith("timestamp"):
            return "to_json(replace({0}, ' ', 'T'))::VARCHAR"
        case _:
            return "to_json({0})::VARCHAR"


def _without_test_patch(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return texts of jsonb without the member `test_patch`, all else as it was."""
    return pa.chunked_array(
        [[text and _one_without_test_patch(text) for text in texts.to_pylist()]], pa.string()
    )


def _one_without_test_patch(text: str) -> str:
    if '"test_patch"' not in text:
        return text
    try:
        members = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except msgspec.DecodeError:
        return text
    kept = (
        f"{json.dumps(name, ensure_ascii=False)}: {bytes(value).decode()}"
        for name, value in members.items()
        if name != "test_patch"
    )
    return f"{{{', '.join(kept)}}}"
