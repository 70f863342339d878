"""The walk: which files below a path hold objects, and which were passed over."""

import os
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from gitopslab.errors import UsageError

FORMATS = (".json", ".yaml", ".yml", ".ndjson", ".jsonl")
COMPRESSIONS = (".gz", ".zst")


class Skipped(NamedTuple):
    """A file or folder below a given path that is not read.

    Attributes:
        path: Where it is.
        reason: Why, in words to count by: its suffix, `no suffix`, `symbolic link`, `special file` or
            `unreadable folder`.
    """

    path: Path
    reason: str


def find(paths: Iterable[Path]) -> Iterator[Path | Skipped]:
    """Return the files to read: each of `paths` that is one, and those below each that is a folder.

    Below a folder, names decide (`*.json`, `*.yaml`, `*.yml`, `*.ndjson`, `*.jsonl`, each also with `.gz` or
    `.zst`), the order is that of the names, and symbolic links are not followed.

    Raises:
        UsageError: A path does not exist.
    """
    given = list(paths)
    for path in given:
        if not path.exists():
            raise UsageError(f"{path}: there is no such file or folder")
    return chain.from_iterable(_below(path) if path.is_dir() else [path] for path in given)


def _below(folder: Path) -> Iterator[Path | Skipped]:
    try:
        with os.scandir(folder) as scan:
            entries = sorted(scan, key=lambda entry: entry.name)
    except OSError:
        yield Skipped(folder, "unreadable folder")
        return
    for entry in entries:
        path = folder / entry.name
        if entry.is_symlink():
            yield Skipped(path, "symbolic link")
        elif entry.is_dir(follow_symlinks=False):
            yield from _below(path)
        elif not entry.is_file(follow_symlinks=False):
            yield Skipped(path, "special file")
        elif _is_named_for_objects(path):
            yield path
        else:
            yield Skipped(path, path.suffix.lower() or "no suffix")


def _is_named_for_objects(path: Path) -> bool:
    name = path.name.lower()
    for compression in COMPRESSIONS:
        name = name.removesuffix(compression)
    return name.endswith(FORMATS)
