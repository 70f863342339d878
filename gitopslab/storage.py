"""Storage: a folder, an object store, or whatever else fsspec knows. Only this imports fsspec and obstore.

Object stores are called as everywhere (`s3://bucket/path`, `gs://…`, `az://…`), and their servers and
credentials are told by what their own tools read: `AWS_ENDPOINT_URL`, a workload's identity and so on.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import urlsplit

import fsspec
from obstore.exceptions import BaseError, NotFoundError, PermissionDeniedError, UnauthenticatedError
from obstore.fsspec import register
from obstore.store import ObjectStore, from_url

from gitopslab.errors import AccessDeniedError, LakeError, UnreachableError

if TYPE_CHECKING:
    from obstore.store import RetryConfig

OBJECT_STORES = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss")
"""Schemes of URLs that are object storage."""

_UNFINISHED = ".unfinished"
# Who watches tries again anyway, and who types a command waits.
_PATIENCE: "RetryConfig" = {"max_retries": 4, "retry_timeout": timedelta(seconds=30)}
_OF_AN_OBJECT_STORE = {"retry_config": _PATIENCE, "skip_instance_cache": True}

register(OBJECT_STORES)


class Storage:
    """Files below one folder, local or not; paths are relative to it, POSIX.

    Args:
        url: Folder or URL; it need not be there before the first write.

    Raises:
        LakeError: Nobody knows such URLs.
    """

    def __init__(self, url: str) -> None:
        is_object_store = urlsplit(url).scheme in OBJECT_STORES
        options = _OF_AN_OBJECT_STORE if is_object_store else {}
        try:
            self._filesystem, self._root = fsspec.core.url_to_fs(url, **options)
            self._objects = from_url(url, retry_config=_PATIENCE) if is_object_store else None
        except (BaseError, ValueError, ImportError) as error:
            raise LakeError(f"{url}: {_first_line(error)}") from error
        self.url = url
        self._is_local = "file" in self._filesystem.protocol

    def files(self, pattern: str) -> dict[str, int]:
        """Return the paths that match `pattern`, where `*` is a name or part of one, with sizes in bytes."""
        if self._objects:
            return self._listed(self._objects, pattern)
        found = self._filesystem.glob(f"{self._root}/{pattern}", detail=True)
        return {path.removeprefix(f"{self._root}/"): int(info["size"]) for path, info in found.items()}

    def full_path(self, path: str) -> str:
        """Return what the file at `path` is called elsewhere, in DuckDB for one."""
        full = f"{self._root}/{path}"
        return full if self._is_local else str(self._filesystem.unstrip_protocol(full))

    @contextmanager
    def reading(self, path: str) -> Iterator[BinaryIO]:
        """Open the file at `path` while the block lasts."""
        with self._reached(), self._filesystem.open(f"{self._root}/{path}", "rb") as stream:
            yield stream

    def write(self, path: str, content: memoryview) -> None:
        """Put `content` at `path`: durable when this returns, and there whole or not at all."""
        target = f"{self._root}/{path}"
        if not self._is_local:
            # Object storage shows a key only when its upload is complete, so there is nothing to rename.
            try:
                with self._reached():
                    self._filesystem.pipe_file(target, bytes(content))
            except FileNotFoundError as error:
                raise UnreachableError(f"{self.url}: there is no such bucket") from error
            return
        folder = os.path.dirname(target)  # noqa: PTH120 - a name, not a Path, is at hand
        os.makedirs(folder, exist_ok=True)  # noqa: PTH103 - as above
        with open(target + _UNFINISHED, "xb") as stream:  # noqa: PTH123 - as above
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.rename(target + _UNFINISHED, target)  # noqa: PTH104 - as above
        _sync_folder(folder)

    def remove(self, path: str) -> None:
        """Remove the file at `path`; that it is gone already is no error."""
        try:
            with self._reached():
                self._filesystem.rm_file(f"{self._root}/{path}")
        except FileNotFoundError:
            return

    @property
    def filesystem(self) -> Any | None:
        """What DuckDB reads `full_path()`s through; None where it needs nobody's help."""
        return None if self._is_local else self._filesystem

    def _listed(self, objects: ObjectStore, pattern: str) -> dict[str, int]:
        # A thousand keys a request, where a walk through the folders would be a request for each.
        prefix = re.match(r"(?:[^/*]*/)*", pattern)
        matching = re.compile("[^/]*".join(map(re.escape, pattern.split("*"))))
        with self._reached():
            found = [entry for page in objects.list(prefix[0] if prefix else None) for entry in page]
        return {entry["path"]: entry["size"] for entry in found if matching.fullmatch(entry["path"])}

    @contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            yield
        except NotFoundError as error:
            raise FileNotFoundError(self.url) from error
        except (PermissionDeniedError, UnauthenticatedError) as error:
            raise AccessDeniedError(f"{self.url}: the object store refuses: {_first_line(error)}") from error
        except BaseError as error:
            raise UnreachableError(
                f"{self.url}: the object store is of no use: {_first_line(error)}"
            ) from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].strip()


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
