from datetime import UTC, datetime

import pandas as pd

from gitopslab.tables import Table, table


def html(shown: Table) -> str:
    return shown._repr_html_()


def test_what_comes_from_a_cluster_is_text_and_not_markup():
    assert "<td>&lt;img src=x onerror=alert(1)&gt;</td>" in html(
        Table(("a",), (("<img src=x onerror=alert(1)>",),))
    )


def test_numbers_line_up_and_lengths_of_time_read_as_people_say_them():
    shown = html(
        table(pd.DataFrame({"n": [1234], "wait_seconds": [200.0]}), {"n": "count", "wait_seconds": "waited"})
    )

    assert '<td class="number">1,234</td><td class="number">3 min 20 s</td>' in shown


def test_times_are_utc_to_the_minute_and_what_is_missing_is_a_dash():
    at = pd.Series([datetime(2026, 5, 1, 12, tzinfo=UTC), pd.NaT])
    shown = html(table(pd.DataFrame({"at": at}), {"at": "when"}))

    assert '<td class="time">2026-05-01 12:00</td>' in shown
    assert "<td>\N{EN DASH}</td>" in shown


def test_rows_that_are_not_shown_are_counted():
    assert "2 more are not shown." in html(table(pd.DataFrame({"n": [1, 2, 3]}), {"n": "n"}, most=1))


def test_no_row_is_said_so():
    assert "None." in html(table(pd.DataFrame({"n": []}), {"n": "n"}))
