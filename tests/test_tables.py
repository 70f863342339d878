from datetime import UTC, datetime

import pandas as pd

from gitopslab.metrics.definitions import CHANGE_LEAD_TIME
from gitopslab.metrics.durations import summarize
from gitopslab.metrics.ratios import Share
from gitopslab.tables import Headline, Table, half, quantile_cells, sentences, table, told


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


def test_an_estimate_stands_above_its_interval():
    shown = html(Table(("half",), ((half(summarize([60] * 20, CHANGE_LEAD_TIME, seed=1)),),)))

    space = "\N{NO-BREAK SPACE}"
    interval = f"1{space}min to 1{space}min"

    assert f'<td class="number">1 min<br><small class="muted">{interval}</small></td>' in shown


def test_too_few_durations_have_no_estimate_in_a_table():
    few = summarize([60, 120], CHANGE_LEAD_TIME, seed=1)

    assert [str(cell) for cell in quantile_cells(few)] == [
        "2",
        "0",
        "too few: 2 (1 min to 2 min)",
        "None",
        "None",
        "None",
    ]
    assert half(summarize([], CHANGE_LEAD_TIME, seed=1)) is None


def test_a_share_stands_above_its_counts():
    assert str(told(Share(2, 18, 0))) == "10.0% (2 of 20; 95% interval 2.8% to 30.1%)"


def test_sentences_and_headlines_are_text():
    assert sentences(["<b>one", "two"], "")._repr_html_() == "<ul><li>&lt;b&gt;one</li><li>two</li></ul>"
    assert sentences([], "Nothing.")._repr_html_() == "<p>Nothing.</p>"
    assert "&lt;b&gt;" in Headline("<b>", "below")._repr_html_()


def test_a_note_stands_beside_how_many_rows_are_not_shown():
    shown = table(pd.DataFrame({"n": [1, 2]}), {"n": "n"}, most=1, note="In UTC.")

    assert shown.note == "1 more are not shown. In UTC."
