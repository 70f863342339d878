"""Integrity: wrong rows in the warehouse, as the queries of queries/checks/ find them.

A check is a query for wrong rows; adding one is adding a file. Those with the columns `subject`, `message`
and `found_at` say themselves what is wrong; of others, the grain is the subject and the rest the message.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from gitopslab import queries
from gitopslab.errors import UsageError
from gitopslab.queries import Query
from gitopslab.tables import Table
from gitopslab.warehouse import Warehouse
from gitopslab.window import Window

ALWAYS = Window(datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC))
"""The window that leaves nothing out."""


@dataclass(frozen=True)
class Finding:
    """A wrong row.

    Attributes:
        check: The query that found it.
        environment: Where; empty where it is of none.
        service: Of which service; empty where it is of none.
        subject: The run, sync, file, commit or object it is about.
        found_at: When it happened, UTC; None where the check does not say.
        message: What is wrong.
    """

    check: str
    environment: str
    service: str
    subject: str
    found_at: datetime | None
    message: str


@dataclass(frozen=True)
class Check:
    """What one check found.

    Attributes:
        name: Its query.
        title: What it finds, in words.
        what: What one finding is.
        findings: The wrong rows, newest first.
    """

    name: str
    title: str
    what: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Integrity:
    """What all checks found; a check that found nothing is here too.

    Attributes:
        checks: By name.
    """

    checks: tuple[Check, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every wrong row, by check."""
        return tuple(finding for check in self.checks for finding in check.findings)

    def __str__(self) -> str:
        failed = [check for check in self.checks if check.findings]
        if not failed:
            return f"None of {len(self.checks):,} integrity checks found a wrong row."
        listed = ", ".join(f"{len(check.findings):,} {check.title.lower()}" for check in failed)
        return f"{len(failed):,} of {len(self.checks):,} integrity checks found wrong rows: {listed}."

    def table(self) -> Table:
        """Return one row a check: what it looks for, how often it was found, and the newest finding."""
        rows = tuple(
            (check.title, len(check.findings), _example(check.findings), check.what) for check in self.checks
        )
        return Table(("check", "findings", "the newest", "what a finding is"), rows)

    def rows(self) -> list[dict[str, Any]]:
        """Return the findings as rows, their columns the fields of `Finding`."""
        return [asdict(finding) for finding in self.findings]


def examine(warehouse: Warehouse, window: Window = ALWAYS, names: Iterable[str] = ()) -> Integrity:
    """Return what the checks find in a warehouse.

    Args:
        warehouse: Where to look.
        window: When it happened; checks that take no window look at everything.
        names: Checks to run; all where there is none.

    Raises:
        UsageError: There is no check of such a name.
    """
    known = {query.name: query for query in queries.room("checks")}
    if unknown := sorted(set(names) - known.keys()):
        raise UsageError(f"no check {', '.join(unknown)}; there are: {', '.join(sorted(known))}")
    chosen = sorted(set(names) or known)
    return Integrity(tuple(_check(warehouse, known[name], window) for name in chosen))


def _check(warehouse: Warehouse, query: Query, window: Window) -> Check:
    parameters = {"since": window.since, "until": window.until}
    taken = {name: value for name, value in parameters.items() if name in query.params}
    found = (_finding(query, row) for row in warehouse.run(query.name, **taken).dicts())
    title, _, what = query.doc.rstrip(".").partition(": ")
    return Check(query.name, title, what, tuple(sorted(found, key=_newest_first)))


def _finding(query: Query, row: Mapping[str, Any]) -> Finding:
    subject, message = row.get("subject"), row.get("message")
    if subject is None:
        subject = " ".join(str(row[column]) for column in query.grain)
    if message is None:
        others = {name: value for name, value in row.items() if name not in query.grain and value is not None}
        message = ", ".join(f"{name} {value}" for name, value in others.items())
    return Finding(
        query.name,
        row.get("environment") or "",
        row.get("service") or "",
        subject,
        row.get("found_at"),
        message,
    )


def _newest_first(finding: Finding) -> tuple[float, str, str]:
    at = finding.found_at.timestamp() if finding.found_at else 0.0
    return -at, finding.subject, finding.message


def _example(findings: tuple[Finding, ...]) -> str:
    if not findings:
        return ""
    newest = findings[0]
    place = " ".join(filter(None, (newest.service, newest.environment)))
    return ", ".join(filter(None, (place, f"{newest.subject}: {newest.message}")))
