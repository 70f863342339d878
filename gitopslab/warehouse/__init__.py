"""The warehouse: one DuckDB file of typed tables and facts, built from the lake, read by everybody."""

from gitopslab.warehouse.build import BuildResult, build
from gitopslab.warehouse.reader import Rows, TableInfo, Warehouse

__all__ = ["BuildResult", "Rows", "TableInfo", "Warehouse", "build"]
