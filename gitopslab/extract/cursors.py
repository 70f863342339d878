"""Cursors: how far a source was read by the runs before, kept in the lake."""

from datetime import UTC, datetime

import pyarrow.compute as pc

from gitopslab.datasets.landing import CURSORS
from gitopslab.extract.run import ExtractRun
from gitopslab.lake import Lake


def reached(lake: Lake, source: str, system: str, resource: str) -> datetime | None:
    """Return the time up to which `resource` of a source was read by whichever run read furthest, if any.

    Args:
        lake: Where the runs before landed.
        source: Name of the repository, database, server or cluster.
        system: Its system, as it stands in coverage.
        resource: What of it is read: a metric, a namespace.
    """
    times: list[datetime] = []
    for rows in lake.read(CURSORS, ["system", "resource", "cursor"], source):
        is_asked = pc.and_(pc.equal(rows["system"], system), pc.equal(rows["resource"], resource))
        times += map(datetime.fromisoformat, rows.filter(is_asked)["cursor"].to_pylist())
    return max(times, default=None)


def note(run: ExtractRun, resource: str, at: datetime) -> None:
    """Keep that `resource` of the run's source is landed up to `at`, once all that was added is durable.

    Raises:
        LakeError: It could not be written.
    """
    run.flush()
    row = {
        "source": run.origin.cluster,
        "system": run.origin.how,
        "resource": resource,
        "cursor": at.astimezone(UTC).isoformat(),
        "run_id": run.run_id,
        "noted_at": datetime.now(UTC),
    }
    run.lake.append(CURSORS, [row], run.run_id)
