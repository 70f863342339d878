"""What a dataset of the lake is: a name, columns, and what makes two of its rows the same one."""

from dataclasses import dataclass

import pyarrow as pa

TIME = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True)
class Dataset:
    """One kind of row in the lake, and the warehouse table that holds each such row once.

    Attributes:
        name: Its folder under raw/.
        table: The warehouse table its rows become.
        doc: What one row is, in a line.
        grain: Columns that together are unique; of rows alike in them the first that landed counts.
        schema: Its columns; `partitioned_by` is always one of them.
        dated_by: The time whose UTC day names the partition.
        partitioned_by: The column that says whose rows they are.
        json_columns: Columns of JSON text in which credentials and e-mail addresses may stand.
        free_text_columns: Columns of other text in which they may.
    """

    name: str
    table: str
    doc: str
    grain: tuple[str, ...]
    schema: pa.Schema
    dated_by: str
    partitioned_by: str = "cluster"
    json_columns: tuple[str, ...] = ()
    free_text_columns: tuple[str, ...] = ()


def text(name: str) -> pa.Field:
    """Return a column of text that is never NULL."""
    return pa.field(name, pa.string(), nullable=False)


def optional_text(name: str) -> pa.Field:
    """Return a column of text."""
    return pa.field(name, pa.string())


def time(name: str) -> pa.Field:
    """Return a column of instants, UTC, that is never NULL."""
    return pa.field(name, TIME, nullable=False)


def optional_time(name: str) -> pa.Field:
    """Return a column of instants, UTC."""
    return pa.field(name, TIME)


def count(name: str) -> pa.Field:
    """Return a column of whole numbers that is never NULL."""
    return pa.field(name, pa.int64(), nullable=False)


def optional_count(name: str) -> pa.Field:
    """Return a column of whole numbers."""
    return pa.field(name, pa.int64())
