"""Connections to DuckDB, as every part of the package gets them."""

import subprocess
import sys
from pathlib import Path

SAYS_WHETHER_BARS_ARE_DRAWN = """
from gitopslab import database
connection = database.memory()
connection.execute("ATTACH ':memory:' AS warehouse; ATTACH ':memory:' AS scratch")
for each in (connection, database.cursor(connection)):
    print(each.execute("SELECT current_setting('enable_progress_bar')").fetchall())
"""


def test_no_progress_bar_is_drawn_where_python_was_started_without_a_script():
    command = [sys.executable, "-c", SAYS_WHETHER_BARS_ARE_DRAWN]
    folder = Path(__file__).parents[1]
    said = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder).stdout

    assert said == "[(False,)]\n" * 2
