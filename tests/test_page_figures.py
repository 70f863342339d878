"""Figures of a page are drawn when they are about to be seen, and all of them on paper."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest

from gitopslab import charts
from gitopslab.metrics import lead_time, waterfall
from gitopslab.reports import page
from tests.chromium import Page, browsing, needs_chromium
from tests.delivered import START, change, changes

ABOUT = page.About("lead_time", "", "b1", "2026-05-15 06:00 UTC", {}, "0.1.0")
SCREEN = "window-size=800,600"


def cell_of(figure: dict) -> dict:
    output = {
        "output_type": "display_data",
        "data": {"application/vnd.plotly.v1+json": figure},
        "metadata": {},
    }
    return {"cell_type": "code", "metadata": {}, "source": "", "outputs": [output]}


def section(name: str, height: int = 2_000) -> tuple[dict, dict]:
    bars = {"data": [{"type": "bar", "name": name, "y": [1]}], "layout": {"height": height}}
    return {"cell_type": "markdown", "metadata": {}, "source": f"## {name}"}, cell_of(bars)


def page_of(*names: str, **given) -> str:
    return page.render({"cells": [cell for name in names for cell in section(name, **given)]}, ABOUT)


DRAWN = "[...document.querySelectorAll('.figure')].map(place => place.querySelector('.main-svg') !== null)"


@contextmanager
def opened(text: str, folder: Path, anchor: str = "", screen: str = SCREEN) -> Iterator[Page]:
    file = folder / "page.html"
    file.write_text(text)
    with browsing(folder, screen) as browser:
        yield browser.open(f"{file.as_uri()}{anchor}")


def test_the_place_of_a_figure_is_as_high_as_the_figure():
    places = re.findall(
        r'<div class="figure output" style="min-height:(\w+)">', page_of("a", "b", height=120)
    )

    assert places == ["120px", "120px"]


def test_a_figure_that_names_no_height_has_one():
    text = page.render({"cells": [cell_of({"data": [], "layout": {}})]}, ABOUT)

    assert "min-height:380px" in text
    assert '"layout":{"height":380}' in text


def test_a_page_of_fifty_thousand_changes_stays_small():
    count = 50_000
    rows = pd.concat(
        [changes(*(change(str(n), 60.0 * (n + 1), service=f"s{n % 40}") for n in range(500)))] * 100
    )
    rows = rows.assign(
        sha=[f"{n:040x}" for n in range(count)], at=START + pd.to_timedelta(range(count), "min")
    )
    figures = (
        charts.lead_time_trend([], rows, []),
        charts.survival_curves(lead_time.curves(rows)),
        charts.durations_by_group(rows, seconds="lead_seconds", by="service"),
        charts.counts_by_day(rows, at="at", by="service"),
        charts.change_waterfall(waterfall.waterfall(rows)),
    )
    cells = [cell_of(json.loads(each.to_json())) for each in figures]

    text = page.render({"cells": cells}, ABOUT)

    assert len(text) < 6_000_000
    assert sum(map(len, re.findall(r'class="figure-data">(.*?)</script>', text))) < 200_000


@needs_chromium
@pytest.mark.slow
def test_what_is_further_away_than_a_screen_is_not_drawn_until_it_is_scrolled_to(tmp_path):
    with opened(page_of("a", "b", "c", "d"), tmp_path) as shown:
        assert shown.evaluate(DRAWN) == [True, False, False, False]
        shown.do("document.querySelector('#section-d').scrollIntoView()")
        assert shown.evaluate(DRAWN) == [True, False, True, True]


@needs_chromium
@pytest.mark.slow
def test_what_an_anchor_leads_to_is_drawn(tmp_path):
    with opened(page_of("a", "b", "c", "d"), tmp_path, "#section-d") as shown:
        assert shown.evaluate(DRAWN)[2:] == [True, True]


@needs_chromium
@pytest.mark.slow
def test_on_a_screen_that_is_high_enough_all_of_them_are_drawn(tmp_path):
    with opened(page_of("a", "b", "c", "d"), tmp_path, screen="window-size=800,9000") as shown:
        assert shown.evaluate(DRAWN) == [True] * 4


@needs_chromium
@pytest.mark.slow
def test_all_of_them_are_drawn_for_paper(tmp_path):
    with opened(page_of("a", "b", "c"), tmp_path) as shown:
        assert shown.evaluate(DRAWN) == [True, False, False]
        shown.print()
        assert shown.evaluate(DRAWN) == [True] * 3


@needs_chromium
@pytest.mark.slow
def test_all_of_them_are_drawn_at_once_by_a_browser_that_cannot_tell_where_it_is(tmp_path):
    text = page_of("a", "b").replace("Content-Security-Policy", "none")
    old = text.replace("</main>", "</main><script>delete window.IntersectionObserver</script>", 1)

    with opened(old, tmp_path) as shown:
        assert shown.evaluate(DRAWN) == [True, True]


@needs_chromium
@pytest.mark.slow
def test_a_folded_figure_is_drawn_when_its_fold_opens(tmp_path):
    figure = re.compile(r'<div class="figure.*?</script>', re.DOTALL)
    text = figure.sub(r"<details>\g<0></details>", page_of("a", height=200))

    with opened(text, tmp_path) as shown:
        assert shown.evaluate(DRAWN) == [False]
        shown.do("document.querySelector('details').open = true")
        assert shown.evaluate(DRAWN) == [True]
