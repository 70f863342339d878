"""The SQL in queries/: one SELECT a file, under a header that says what its rows mean.

Six rooms, in the order the build passes through them: `parsed` (JSON taken apart, once), `typed` (rows
and columns, kept for good), `facts` (joined and decided), `marts` (asked with parameters, by reports),
`checks` (wrong rows) and `scores` (found beside true). A file's stem is the name of its rows.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from gitopslab.errors import QueryError

_HERE = Path(__file__).parent
SHIPPED = _HERE / "_shipped" if (_HERE / "_shipped").is_dir() else _HERE.parent
"""The folder that holds queries/ and notebooks/: inside an installed package, or the checkout."""

QUERIES = SHIPPED / "queries"
ROOMS = ("parsed", "typed", "facts", "marts", "checks", "scores")
_FIELDS = ("grain", "reads", "params")


@dataclass(frozen=True)
class Query:
    """One file of queries/, parsed.

    Attributes:
        name: The file's stem, which is also what its rows are called everywhere.
        room: The folder it lies in, one of ROOMS.
        doc: What one row is: the header's first line.
        decisions: The rest of the header: what was decided, and why.
        grain: Columns that together are unique in the result; empty for a single row.
        reads: Tables the SELECT reads.
        params: Names of the `$parameters` it takes.
        sql: The SELECT, header included, so that an error's line number fits the file.
    """

    name: str
    room: str
    doc: str
    decisions: str
    grain: tuple[str, ...]
    reads: tuple[str, ...]
    params: tuple[str, ...]
    sql: str

    def accept(self, parameters: Mapping[str, Any]) -> None:
        """Raise QueryError unless `parameters` are exactly the ones the header names."""
        if set(parameters) != set(self.params):
            wants, got = ", ".join(self.params) or "none", ", ".join(sorted(parameters)) or "none"
            raise QueryError(f"{self.room}/{self.name}.sql takes {wants}; it was given {got}")


def query(name: str, folder: Path = QUERIES) -> Query:
    """Return the query called `name`, whichever room it lies in.

    Raises:
        QueryError: There is no such file, or its header lacks a field.
    """
    known = catalog(folder)
    if name not in known:
        raise QueryError(f"no query {name!r}; there are: {', '.join(sorted(known))}")
    return known[name]


def room(name: str, folder: Path = QUERIES) -> tuple[Query, ...]:
    """Return the queries of one room, each after those of the same room that it reads.

    Raises:
        QueryError: Two of them read each other, or a header is wrong.
    """
    waiting = {n: q for n, q in catalog(folder).items() if q.room == name}
    ordered: list[Query] = []
    while waiting:
        ready = [q for q in waiting.values() if not set(q.reads) & (waiting.keys() - {q.name})]
        if not ready:
            raise QueryError(f"queries/{name}: {', '.join(sorted(waiting))} read each other")
        ordered += ready
        waiting = {n: q for n, q in waiting.items() if q not in ready}
    return tuple(ordered)


@cache
def catalog(folder: Path = QUERIES) -> Mapping[str, Query]:
    """Return every query by its name, in name order.

    Raises:
        QueryError: Two files share a name, or a header is wrong.
    """
    found: dict[str, Query] = {}
    for path in sorted((p for r in ROOMS for p in (folder / r).glob("*.sql")), key=lambda p: p.stem):
        if path.stem in found:
            raise QueryError(f"{path}: {found[path.stem].room}/ holds a query of that name too")
        found[path.stem] = parse(path.read_text(encoding="utf-8"), path)
    return found


def macros(folder: Path = QUERIES) -> str:
    """Return the SQL macros that parsed and typed queries may call."""
    return (folder / "macros.sql").read_text(encoding="utf-8")


def parse(sql: str, path: Path) -> Query:
    """Return the query that `path` holds as `sql`.

    Raises:
        QueryError: The header lacks its first line or one of grain, reads and params.
    """
    header = re.match(r"(?:--[^\n]*\n)+", sql)
    lines = [line.removeprefix("--").strip() for line in (header[0] if header else "").splitlines()]
    fields = {m[1]: m[2] for line in lines if (m := re.match(r"(\w+):\s*(.*)$", line)) and m[1] in _FIELDS}
    if missing := [field for field in _FIELDS if field not in fields]:
        raise QueryError(f"{path}: the header lacks {', '.join(missing)}")
    if not lines[0]:
        raise QueryError(f"{path}: the header's first line does not say what a row is")
    grain, reads, params = (tuple(re.findall(r"\w+", fields[field])) for field in _FIELDS)
    last_field = max(i for i, line in enumerate(lines) if re.match(rf"({'|'.join(_FIELDS)}):", line))
    doc = " ".join(lines[: lines.index("")] if "" in lines else lines[:1])
    return Query(
        name=path.stem,
        room=path.parent.name,
        doc=doc,
        decisions="\n".join(lines[last_field + 1 :]).strip(),
        grain=grain,
        reads=reads,
        params=params,
        sql=sql,
    )
