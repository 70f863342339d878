"""Reports: notebooks run with parameters, each kept as a page, a notebook and a result, and listed."""

from gitopslab.reports.index import write_index
from gitopslab.reports.run import Description, ReportRun, describe, names, render

__all__ = ["Description", "ReportRun", "describe", "names", "render", "write_index"]
