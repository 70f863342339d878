"""Compaction: many small files of the lake become one, so that a watch of weeks stays quick to read.

What landed stays: the rows of some files are written once more, into one file that names them, and only when
that one has been durable for a grace period are they removed. So at every moment each row is in at least one
finished file; who listed the files before the merged one was there can still read them; and where something
is cut off in between, rows are there twice, which every reader drops by the grain of the dataset.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import NamedTuple

from gitopslab.datasets import CHECKPOINTS, DATASETS, Dataset
from gitopslab.lake import Lake, LakeFile, new_run_id

_MARK = "-merged-"
_MERGED_AT = re.compile(rf"{_MARK}(\d{{8}}T\d{{6}}Z)-")
_REPLACES = "gitopslab.replaces"
_FEWEST_FILES = 8
_SMALL_BYTES = 8 << 20
_MERGED_BYTES = 128 << 20
_GRACE = timedelta(hours=1)


class Compacted(NamedTuple):
    """What a compaction did.

    Attributes:
        merged_count: Files whose rows are in a merged file now.
        written_count: Merged files.
        removed_count: Files removed, since the merged file of their rows is old enough.
    """

    merged_count: int = 0
    written_count: int = 0
    removed_count: int = 0


class Plan(NamedTuple):
    """What is to be done in one folder of the lake, which holds a day of one cluster, repository or the like.

    Attributes:
        dataset: Whose rows.
        folder: Path below the lake's folder.
        groups: Files that become one, group by group.
        removable: Paths of files that a merged file has replaced for long enough.
    """

    dataset: Dataset
    folder: str
    groups: list[list[LakeFile]]
    removable: list[str]

    @property
    def counts(self) -> Compacted:
        """What doing it amounts to."""
        return Compacted(sum(map(len, self.groups)), len(self.groups), len(self.removable))


def compact(
    lake: Lake, clusters: Iterable[str] | None, now: datetime, *, grace: timedelta = _GRACE
) -> Compacted:
    """Merge the small files of each folder, and remove those merged long enough ago.

    Args:
        lake: The lake.
        clusters: Whose files, of datasets that hold a cluster's; None: of everything. Two that compact the
            same folder at the same time lose nothing, but may write its rows twice.
        now: The time, UTC.
        grace: How long a file stays after its rows are in a merged one; longer than any build takes.
    """
    done = Compacted()
    for plan in plans(lake, clusters, now, grace=grace):
        for path in plan.removable:
            lake.remove(path)
        for group in plan.groups:
            _merge(lake, plan.dataset, group, now)
        done = Compacted(*map(sum, zip(done, plan.counts, strict=True)))
    return done


def plans(
    lake: Lake, clusters: Iterable[str] | None, now: datetime, *, grace: timedelta = _GRACE
) -> Iterator[Plan]:
    """Yield what `compact` would do, a folder in which there is something to do after another."""
    names = None if clusters is None else list(clusters)
    for dataset in (*DATASETS, CHECKPOINTS):
        if names is None:
            files = lake.files(dataset)
        elif dataset.partitioned_by == "cluster":
            files = [file for name in names for file in lake.files(dataset, name)]
        else:
            continue
        for folder, within in _by_folder(files).items():
            plan = _plan(lake, dataset, folder, within, now - grace)
            if any(plan.counts):
                yield plan


def _plan(lake: Lake, dataset: Dataset, folder: str, files: list[LakeFile], merged_before: datetime) -> Plan:
    merged = {file.path: _replaced_by(lake, file) for file in files if _merged_at(file)}
    there = {file.path for file in files}
    waiting = {path: replaced & there for path, replaced in merged.items()}
    removable = [
        path
        for file in files
        if (at := _merged_at(file)) and at <= merged_before
        for path in sorted(waiting[file.path])
    ]
    # A merged file stays for itself until what it replaces is gone: it alone knows what that is.
    busy = set().union(*waiting.values()) | {path for path, replaced in waiting.items() if replaced}
    small = [file for file in files if file.size_bytes < _SMALL_BYTES and file.path not in busy]
    groups = [group for group in _groups(lake, small) if len(group) >= _FEWEST_FILES]
    return Plan(dataset, folder, groups, removable)


def _groups(lake: Lake, files: list[LakeFile]) -> list[list[LakeFile]]:
    """Return `files`, in the order of their names, in groups that fit into memory."""
    groups: list[list[LakeFile]] = []
    size_bytes = 0
    for file in files:
        plain_bytes = lake.plain_bytes(file.path)
        if not groups or size_bytes + plain_bytes > _MERGED_BYTES:
            groups.append([])
            size_bytes = 0
        groups[-1].append(file)
        size_bytes += plain_bytes
    return groups


def _merge(lake: Lake, dataset: Dataset, files: list[LakeFile], now: datetime) -> None:
    """Write the rows of `files` into one, which takes the place of the first in the order of names."""
    first = PurePosixPath(files[0].path)
    base = first.stem.partition(_MARK)[0]
    names = [PurePosixPath(file.path).name for file in files]
    lake.merge(
        dataset,
        [file.path for file in files],
        f"{first.parent}/{base}{_MARK}{new_run_id(now)}.parquet",
        {_REPLACES: json.dumps(names)},
    )


def _replaced_by(lake: Lake, file: LakeFile) -> set[str]:
    folder = PurePosixPath(file.path).parent
    names = json.loads(lake.metadata(file.path).get(_REPLACES, "[]"))
    return {str(folder / name) for name in names}


def _merged_at(file: LakeFile) -> datetime | None:
    found = _MERGED_AT.search(PurePosixPath(file.path).name)
    return datetime.strptime(found[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) if found else None


def _by_folder(files: list[LakeFile]) -> dict[str, list[LakeFile]]:
    folders: dict[str, list[LakeFile]] = defaultdict(list)
    for file in files:
        folders[str(PurePosixPath(file.path).parent)].append(file)
    return folders
