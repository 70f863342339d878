"""Reports: notebooks run with parameters, each kept as a page, a notebook and a result, and listed."""

from gitopslab.reports.folders import RESULT_FILE
from gitopslab.reports.index import latest, write_index
from gitopslab.reports.run import Description, ReportRun, describe, names, render

__all__ = ["RESULT_FILE", "Description", "ReportRun", "describe", "latest", "names", "render", "write_index"]
