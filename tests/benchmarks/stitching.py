"""Stitching, measured: from typed rows of a platform to changes in environments.

Run as `python -m tests.benchmarks.stitching`. The bar is 5 s for 100 thousand changes, 20 thousand pins, each
deployed to 5 environments. Rows are made in the database, as an extraction would have left them; timed is
every fact between them and `change_environments`. The mart that a report asks is shown beside it.
"""

import argparse
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from gitopslab import database, queries
from gitopslab.warehouse.schema import create_tables, decide

BAR_SECONDS = 5.0
SERVICES = 20
STITCHED = (
    "default_branches",
    "side_commits",
    "picked_positions",
    "branch_positions",
    "source_commits",
    "pins",
    "pin_sources",
    "hydrated_commits",
    "environment_revisions",
    "environment_releases",
    "rollouts",
    "rollout_releases",
    "release_builds",
    "stage_passages",
    "changes",
    "change_environments",
)
EVERYTHING = {
    "since": datetime(2020, 1, 1, tzinfo=UTC),
    "until": datetime(2040, 1, 1, tzinfo=UTC),
    "as_of": datetime(2040, 1, 1, tzinfo=UTC),
    "environment": "",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--changes", type=int, default=100_000)
    parser.add_argument("--deployments", type=int, default=20_000, help="Pins, each deployed everywhere.")
    parser.add_argument("--environments", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        db = database.read_write(Path(folder) / "warehouse.duckdb")
        create_tables(db)
        decide(db, lambda *_: None)
        step = arguments.changes // arguments.deployments
        fill(db, {**vars(arguments), "services": SERVICES, "step": step})
        before = [query for query in queries.room("facts") if query.name not in STITCHED]
        for query in before:
            db.execute(f"CREATE OR REPLACE TABLE {query.name} AS {query.sql}")
        total = 0.0
        for query in queries.room("facts"):
            if query.name in STITCHED:
                total += timed(db, query.name, f"CREATE OR REPLACE TABLE {query.name} AS {query.sql}")
        mart = queries.query("changes_in_window")
        started = time.perf_counter()
        rows = database.arrow(db, mart.sql, EVERYTHING)
        asked = time.perf_counter() - started
        print(f"{'changes_in_window':<24}{len(rows):>10,} rows{asked:>8.2f} s")
        delivered = sum(1 for value in rows["class"].to_pylist() if value == "delivered")
        ratio = total / BAR_SECONDS
        print(
            f"stitched in {total:.2f} s, {ratio:.2f} of the bar;"
            f" {delivered:,} of {len(rows):,} changes in environments delivered"
        )
        db.close()


def timed(db: database.Connection, name: str, sql: str) -> float:
    started = time.perf_counter()
    db.execute(sql)
    took = time.perf_counter() - started
    [(count,)] = db.execute(f"SELECT count(*) FROM {name}").fetchall()
    print(f"{name:<24}{count:>10,} rows{took:>8.2f} s", flush=True)
    return took


def fill(db: database.Connection, numbers: Mapping[str, int]) -> None:
    """Fill typed tables as `stitching.sql` says."""
    for name, value in numbers.items():
        db.execute(f"SET VARIABLE {name} = {value}")
    db.execute(Path(__file__).with_suffix(".sql").read_text())


if __name__ == "__main__":
    main()
