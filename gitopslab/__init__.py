"""Analytics of GitOps delivery and benchmark capacity: clusters into a lake, DuckDB and reports."""

from typing import TYPE_CHECKING

from gitopslab.version import __version__

if TYPE_CHECKING:
    from pathlib import Path

    from gitopslab.warehouse import Warehouse

__all__ = ["__version__", "open"]


def open(warehouse: "Path | str | None" = None) -> "Warehouse":  # noqa: A001 - reads as gitopslab.open()
    """Return a read-only connection to the warehouse.

    Args:
        warehouse: The DuckDB file; by default the one that gitopslab.toml names, found in this
            folder or in one above it.

    Raises:
        LakeError: There is no such file yet; `gitopslab build` makes it.
    """
    from gitopslab.settings import load
    from gitopslab.warehouse import Warehouse

    return Warehouse(warehouse if warehouse is not None else load().warehouse.path)
