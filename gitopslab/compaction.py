"""Compaction: many small files of the lake become one, so that a watch of weeks stays quick to read.

What landed stays: the rows of some files are written once more, into one file that names them, and only when
that one has been durable for a grace period are they removed. So at every moment each row is in at least one
finished file; who listed the files before the merged one was there can still read them; and where something
is cut off in between, rows are there twice, which every reader drops by the grain of the dataset.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable
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


def compact(lake: Lake, clusters: Iterable[str], now: datetime, *, grace: timedelta = _GRACE) -> Compacted:
    """Merge the small files of `clusters` in each dataset and day, and remove those merged long enough ago.

    Args:
        lake: The lake.
        clusters: Whose files; other people may be compacting those of others.
        now: The time, UTC.
        grace: How long a file stays after its rows are in a merged one; longer than any build takes.
    """
    folders = [
        _compact_folder(lake, dataset, files, now, grace)
        for dataset in (*DATASETS, CHECKPOINTS)
        if dataset.partitioned_by == "cluster"
        for cluster in clusters
        for files in _by_folder(lake.files(dataset, cluster)).values()
    ]
    return Compacted(*map(sum, zip(Compacted(), *folders, strict=True)))


def _compact_folder(
    lake: Lake, dataset: Dataset, files: list[LakeFile], now: datetime, grace: timedelta
) -> Compacted:
    merged = {file.path: _replaced_by(lake, file) for file in files if _merged_at(file)}
    there = {file.path for file in files}
    waiting = {path: replaced & there for path, replaced in merged.items()}
    removed = [
        path
        for file in files
        if (at := _merged_at(file)) and now - at >= grace
        for path in sorted(waiting[file.path])
    ]
    for path in removed:
        lake.remove(path)
    # A merged file stays for itself until what it replaces is gone: it alone knows what that is.
    busy = set().union(*waiting.values()) | {path for path, replaced in waiting.items() if replaced}
    small = [file for file in files if file.size_bytes < _SMALL_BYTES and file.path not in busy]
    groups = [group for group in _groups(lake, small) if len(group) >= _FEWEST_FILES]
    for group in groups:
        _merge(lake, dataset, group, now)
    return Compacted(sum(map(len, groups)), len(groups), len(removed))


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
