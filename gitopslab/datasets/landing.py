"""What extract runs did: when, how far they saw, and what they could not read."""

import pyarrow as pa

from gitopslab.datasets.dataset import Dataset, count, optional_count, text, time

EXTRACT_RUNS = Dataset(
    "extract_runs",
    table="extract_run",
    doc="Extract runs: a row when one started and a row when it ended; one without an end was cut off.",
    grain=("run_id", "cluster", "state"),
    schema=pa.schema(
        [
            text("cluster"),
            text("run_id"),
            text("extractor"),
            text("state"),
            time("noted_at"),
            text("gitopslab_version"),
            count("object_count"),
            count("landed_count"),
            count("known_count"),
            count("reject_count"),
            count("refused_secret_count"),
            count("redaction_count"),
            text("message"),
        ]
    ),
    dated_by="noted_at",
)
"""Extract runs: `cluster` is the cluster, or the name of the repository, database or other source read."""

COVERAGE = Dataset(
    "coverage",
    table="coverage",
    doc="Coverage: one row each stretch of time that a resource was looked at, or missed, in one run.",
    grain=("run_id", "cluster", "api_group", "resource", "state", "since", "source"),
    schema=pa.schema(
        [
            text("cluster"),
            text("cluster_uid"),
            text("run_id"),
            text("api_group"),
            text("resource"),
            text("state"),
            time("since"),
            time("until"),
            optional_count("object_count"),
            text("source"),
            text("message"),
        ]
    ),
    dated_by="until",
)
"""Coverage: what was looked at, how (`file`, `list`, `watch`, `read`), what was missed (`gap`, `refused`).

For what is no Kubernetes resource, `cluster` names the source, `api_group` its system (`git`, `postgres`),
and `resource` what of it was read.
"""

REJECTS = Dataset(
    "rejects",
    table="reject",
    doc="Rejects: one row each piece of input that could not be read.",
    grain=("cluster", "reject_id"),
    schema=pa.schema(
        [
            text("cluster"),
            text("run_id"),
            text("reject_id"),
            time("rejected_at"),
            text("source"),
            optional_count("source_line"),
            text("reason"),
            text("message"),
            text("excerpt"),
        ]
    ),
    dated_by="rejected_at",
)
"""Rejects: what could not be read, with the reason and its text (redacted), one row a piece."""

LANDED_FILES = Dataset(
    "landed_files",
    table="landed_file",
    doc="Input files that were read to their end: one row a file and content.",
    grain=("cluster", "source", "sha256"),
    schema=pa.schema(
        [
            text("cluster"),
            text("run_id"),
            time("landed_at"),
            text("source"),
            count("size_bytes"),
            text("sha256"),
            count("object_count"),
            count("reject_count"),
        ]
    ),
    dated_by="landed_at",
)
"""Landed files: each input file that was read to its end; the same content is not read again."""

CURSORS = Dataset(
    "cursors",
    table="cursor",
    doc="Cursors: one row each time a source had been read up to a point, from which the next run goes on.",
    grain=("source", "system", "resource", "run_id", "cursor"),
    schema=pa.schema(
        [text("source"), text("system"), text("resource"), text("cursor"), text("run_id"), time("noted_at")]
    ),
    dated_by="noted_at",
    partitioned_by="source",
)
"""Cursors: where the next run goes on. Coverage tells the warehouse the same, so it has no table of them."""
