"""The tables of a warehouse: made empty from the queries that fill them, and facts decided anew."""

from collections.abc import Callable, Collection

from gitopslab import database, queries
from gitopslab.errors import QueryError
from gitopslab.queries import Query
from gitopslab.warehouse import bookkeeping, typed

Progress = Callable[[str, int, int], None]


def create_tables(db: database.Connection) -> None:
    """Create every table of a warehouse, empty, but for those that facts are decided into."""
    db.execute(queries.macros())
    bookkeeping.create(db)
    see_nothing(db)
    for query in queries.room("parsed"):
        parse(db, query)
    for query in queries.room("typed"):
        execute(db, f"CREATE TABLE {query.name} AS SELECT * FROM (\n{query.sql}\n)", query)


def see_nothing(db: database.Connection) -> None:
    """Let parsed queries read no object version at all."""
    lake_columns = [(row[0], row[1]) for row in db.execute("DESCRIBE object_version").fetchall()]
    columns = ", ".join(f"NULL::{kind} AS {name}" for name, kind in [*lake_columns, ("body", "VARCHAR")])
    db.execute(f"CREATE OR REPLACE TEMP VIEW object_versions AS SELECT {columns} WHERE false")


def parse(db: database.Connection, query: Query) -> None:
    """Put what a parsed query selects from `object_versions` into a table that every cursor of `db` sees."""
    execute(db, f"CREATE OR REPLACE TABLE scratch.{query.name} AS\n{typed.parsed_with_shape(query)}", query)


def decide(db: database.Connection, progress: Progress, changed: Collection[str] | None = None) -> None:
    """Make facts anew from the tables of `db`: those that read a changed table, or all of them.

    Args:
        db: The warehouse being built.
        progress: Called with a step's name, how far it is, and how far it goes.
        changed: Tables that are not as they were when the facts were last decided; None for all.
    """
    facts = queries.room("facts")
    moved = set(changed or ())
    for number, query in enumerate(facts, 1):
        if changed is None or moved & set(query.reads):
            execute(db, f"CREATE OR REPLACE TABLE {query.name} AS\n{query.sql}", query)
            moved.add(query.name)
        progress("deciding facts", number, len(facts))


def execute(db: database.Connection, sql: str, query: Query) -> int:
    """Run SQL that was made from `query`, and return the number of rows it wrote.

    Raises:
        QueryError: The database refused it; the message names the query's file.
    """
    try:
        result = db.execute(sql).fetchall()
    except database.DatabaseError as error:
        raise QueryError(f"queries/{query.room}/{query.name}.sql: {error}") from error
    return int(result[0][0]) if result and isinstance(result[0][0], int) else 0
